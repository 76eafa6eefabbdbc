"""Every URL of the project: a table of contents."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from smplat import health
from smplat.lib import errors
from smplat.lib.admin import search
from smplat.lib.openapi import ServedGenerator
from smplat.signin.urls import patterns as sign_in

_schema = SpectacularAPIView.as_view(
    api_version=settings.VERSION, generator_class=ServedGenerator, renderer_classes=[OpenApiJsonRenderer2]
)
# The page has no template for the answer to OPTIONS.
_docs = SpectacularSwaggerSplitView.as_view(metadata_class=None)

admin.autodiscover()
urlpatterns = [
    path("", RedirectView.as_view(url="/admin/reports")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/schema/", _schema, name="schema"),
    path("api/docs/", _docs, name="docs"),
    path("", include("telemetry.urls")),
    path("", include("reporting.urls")),
    path("admin/reports/", RedirectView.as_view(url="/admin/reports", query_string=True)),
    path("admin/onboarding/", RedirectView.as_view(url="/admin/onboarding", query_string=True)),
    *sign_in(settings.SECOND_FACTOR != "OFF", bool(settings.OIDC_ISSUER_URL)),
    path("admin/search/", search),
    path("admin/", admin.site.urls),
]
handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
