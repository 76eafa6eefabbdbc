"""URLs of reporting: REST and operator pages."""

from django.urls import include, path

urlpatterns = [
    path("", include("reporting.api.urls")),
    path("admin/", include("reporting.pages.urls")),
]
