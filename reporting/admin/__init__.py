"""Django's admin of reporting: evidence, so it can be read and not changed; and the accounts of operators."""

from reporting.admin import accounts, alert_rules, checkpoints, destinations, evidence

__all__ = ["accounts", "alert_rules", "checkpoints", "destinations", "evidence"]
