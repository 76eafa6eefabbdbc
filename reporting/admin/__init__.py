"""Django's admin of reporting: evidence, so it can be read and not changed; and the accounts of operators."""

from reporting.admin import accounts, checkpoints, destinations, evidence

__all__ = ["accounts", "checkpoints", "destinations", "evidence"]
