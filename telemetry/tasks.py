"""Background tasks of telemetry."""

from celery import shared_task

from telemetry import forwarding


@shared_task(name="telemetry.deliver_forwards")
def deliver_forwards() -> None:
    forwarding.deliver()
