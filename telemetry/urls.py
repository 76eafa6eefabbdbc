"""URLs of telemetry capture: the general route, and those that telemetry models declare."""

from django.urls import path

from telemetry.models import kinds
from telemetry.views import CaptureView

app_name = "telemetry"
urlpatterns = [
    path("api/telemetry", CaptureView.as_view(), name="capture"),
    *(
        path(f"api/telemetry/{model.route}", CaptureView.as_view(model=model), name=f"capture-{model.route}")
        for model in kinds()
        if model.route
    ),
]
