"""Django's admin of reporting: evidence, so it can be read and not changed."""

from reporting.admin import checkpoints, destinations, evidence

__all__ = ["checkpoints", "destinations", "evidence"]
