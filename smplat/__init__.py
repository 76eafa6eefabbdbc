"""Wiring of the project: settings, URLs, the Celery application and the launcher."""

from smplat.celery import app as celery_app

__all__ = ["celery_app"]
