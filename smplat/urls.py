"""Every URL of the project: a table of contents."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from smplat import errors, health

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/reports")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("", include("telemetry.urls")),
    path("", include("reporting.urls")),
    path("admin/reports/", RedirectView.as_view(url="/admin/reports")),
    path("admin/", admin.site.urls),
]
handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
