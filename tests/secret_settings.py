"""The settings that are secrets, each with a value that can be found wherever it gets to.

An address is a secret where nobody but the desk itself asks it: its path, its query or its user may let in whoever has
it. Addresses that the desk shows are none, and may not carry a user.
"""

#: Stands in every secret value, and nowhere else.
MARK = "qzmk"
_ADDRESSES = [
    "SLACK_WEBHOOK_URL",
    "QUICK_ORDER_EXPORT_SLACK_WEBHOOK",
    "QUICK_ORDER_EXPORT_STATUS_URL",
    "GUARDRAIL_WORKFLOW_EXPORT_SLACK_WEBHOOK",
    "GUARDRAIL_WORKFLOW_EXPORT_STATUS_URL",
    "ONBOARDING_EXPORT_SLACK_WEBHOOK",
    "GUARDRAIL_EXPORT_SLACK_WEBHOOK",
    "GUARDRAIL_EXPORT_STATUS_URL",
    "GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK",
    "PROVIDER_AUTOMATION_SLACK_WEBHOOK",
    "GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL",
    "ANALYTICS_SEGMENTS_WEBHOOK",
    "ANALYTICS_GUARDRAIL_WEBHOOK",
    "TELEMETRY_ENDPOINT",
    "API_BASE_URL",
    "HEARTBEAT_URL",
]
#: Addresses that people are shown: in links, in statuses, in what they download from.
SHOWN_ADDRESSES = {
    "PUBLIC_BASE_URL",
    "AWS_S3_ENDPOINT_URL",
    "OIDC_ISSUER_URL",
    "QUICK_ORDER_EXPORT_WORKFLOW_URL",
    "GUARDRAIL_WORKFLOW_EXPORT_WORKFLOW_URL",
    "ONBOARDING_EXPORT_WORKFLOW_URL",
    "GUARDRAIL_EXPORT_WORKFLOW_URL",
}
#: What a name has to hold for its setting to be one or the other; the id of a pair of keys stands in signed links.
SECRET_NAMES = r"(SECRET|PASSWORD|KEY|TOKEN)|(_URLS?|_WEBHOOK|_ENDPOINT)$"
NO_SECRETS = {"AWS_ACCESS_KEY_ID"}


def _mark(name: str) -> str:
    return f"{MARK}-{name.lower().replace('_', '-')}"


def secret_settings(origin: str, database_url: str) -> dict[str, str]:
    """A value for every setting that is a secret.

    Args:
        origin: the server that is asked under every address, such as ``http://127.0.0.1:8080``.
        database_url: the database, to whose address a password is added.
    """
    scheme, _, host = origin.partition("://")
    addresses = {
        name: f"{scheme}://{_mark(name)}-user:{_mark(name)}-pw@{host}/{_mark(name)}-path?token={_mark(name)}-token"
        for name in _ADDRESSES
    }
    return addresses | {
        "SECRET_KEY": f"{_mark('SECRET_KEY')}-0123456789-abcdefghijklmnopqrstuvwxyz",
        "CHECKOUT_API_KEY": f"{_mark('CHECKOUT_API_KEY')}-new,{_mark('CHECKOUT_API_KEY')}-old",
        "DJANGO_SUPERUSER_PASSWORD": _mark("DJANGO_SUPERUSER_PASSWORD"),
        "ANALYTICS_WEBHOOK_SECRET": f"whsec_{MARK * 10}",
        "ALERT_URLS": ",".join(
            f"{kind}://{_mark('ALERT_URLS')}-user:{_mark('ALERT_URLS')}-pw@{host}/{_mark('ALERT_URLS')}-path"
            for kind in (scheme, "json")
        ),
        "ALERT_WEBHOOK_SECRET": f"whsec_{MARK * 12}",
        "EMAIL_URL": f"smtp://user:{_mark('EMAIL_URL')}@{host}",
        "AWS_SECRET_ACCESS_KEY": _mark("AWS_SECRET_ACCESS_KEY"),
        "OIDC_CLIENT_SECRET": _mark("OIDC_CLIENT_SECRET"),
        "DATABASE_URL": database_url.replace("postgres:@", f"postgres:{_mark('DATABASE_URL')}@"),
        "POSTGRES_PASSWORD": _mark("POSTGRES_PASSWORD"),
        "REDIS_URL": f"redis://:{_mark('REDIS_URL')}@{host}/0",
        "WAREHOUSE_URL": f"snowflake://user:{_mark('WAREHOUSE_URL')}@account/database?warehouse=w",
    }
