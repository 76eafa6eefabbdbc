"""Wiring of the project: settings, URLs, the Celery application and the launcher."""
