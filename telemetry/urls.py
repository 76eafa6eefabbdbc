"""URLs of telemetry capture: the general route, and those that telemetry models declare."""

from django.urls import path

from telemetry.capture import Route, routes
from telemetry.views import CaptureView

app_name = "telemetry"


def _name(route: Route) -> str:
    return "capture" if route.model is None else f"capture-{route.model.route}"


urlpatterns = [path(route.path, CaptureView.as_view(route=route), name=_name(route)) for route in routes()]
