"""The URLs of a desk that has a second factor and single sign-on."""

from smplat import urls
from smplat.signin.urls import patterns

urlpatterns = [*patterns(has_second_factor=True, has_single_sign_on=True), *urls.urlpatterns]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500
