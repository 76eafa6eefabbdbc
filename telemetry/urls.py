"""URLs of telemetry capture."""

from django.urls import path

from telemetry.views import CaptureView, QuickOrderCaptureView

app_name = "telemetry"
urlpatterns = [
    path("api/telemetry", CaptureView.as_view(), name="capture"),
    path("api/telemetry/quick-order", QuickOrderCaptureView.as_view(), name="capture-quick-order"),
]
