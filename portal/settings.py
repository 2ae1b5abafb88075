"""All settings of Fluxgate: read once from the environment, strict, each secret also as X_FILE.

The names are a contract (docs/configuration.md). A missing or malformed value stops the start
with a sentence that names the variable; nothing falls back to an unsafe default.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dj_database_url
import django_stubs_ext
import environs
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = environs.FileAwareEnv(file_suffix="_FILE")

# --- What this process is -------------------------------------------------------------------
TESTING = "pytest" in sys.modules
DEBUG = env.bool("FLUXGATE_DEBUG", False)
DATA_DIR = Path(env.str("FLUXGATE_DATA", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)


def _required(name: str) -> str:
    """A value that has no safe default outside tests."""
    value: str = env.str(name, "")
    if value:
        return value.strip()
    if TESTING:
        return f"test-only-{name}"
    raise ImproperlyConfigured(f"Set {name}, or {name}_FILE to a file that holds it.")


SECRET_KEY = _required("FLUXGATE_SECRET_KEY")
SECRET_KEY_FALLBACKS: list[str] = env.list("FLUXGATE_SECRET_KEY_FALLBACKS", [])
# Fernet keys, newest first: the first one encrypts, all of them decrypt (rotation).
ENCRYPTION_KEYS: list[str] = [
    key.strip() for key in env.str("FLUXGATE_ENCRYPTION_KEYS", "").split(",") if key.strip()
]
if not ENCRYPTION_KEYS:
    if not TESTING:
        raise ImproperlyConfigured(
            "Set FLUXGATE_ENCRYPTION_KEYS, or FLUXGATE_ENCRYPTION_KEYS_FILE to a file with it."
        )
    ENCRYPTION_KEYS = ["dGVzdC1vbmx5LXRlc3Qtb25seS10ZXN0LW9ubHktMTI="]

ALLOWED_HOSTS = env.list("FLUXGATE_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
# Set where the portal is reached over TLS: secure cookies, HSTS, redirect behind the proxy.
SECURE_SITE = env.bool("FLUXGATE_SECURE_SITE", False)
CSRF_TRUSTED_ORIGINS: list[str] = env.list("FLUXGATE_TRUSTED_ORIGINS", [])

# --- The parts ------------------------------------------------------------------------------
ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["access.backends.PortalBackend"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "template_partials",
    "csp",
    "portal",
    "configurations",
    "clusters",
    "changes",
    "access",
    "audit",
    "live",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "audit.middleware.RequestContextMiddleware",
]

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
                "portal.context.shell",
            ],
            "builtins": ["portal.templatetags.look"],
        },
    },
]

# --- Data -----------------------------------------------------------------------------------
DATABASES = {
    "default": dj_database_url.parse(
        env.str("DATABASE_URL", f"sqlite:///{DATA_DIR / 'fluxgate.sqlite3'}"),
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction that will write takes its lock at the start, so that two writers
    # wait for each other instead of failing when the second one upgrades its lock.
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            " PRAGMA busy_timeout=20000; PRAGMA foreign_keys=ON;",
        }
    )

# The embedded server listens on a socket in the data folder; a URL replaces it.
REDIS_URL: str = env.str("REDIS_URL", f"unix://{DATA_DIR / 'redis.sock'}")


def _broker_url(redis_url: str) -> str:
    """Celery spells a Unix socket differently from redis-py."""
    if redis_url.startswith("unix://"):
        return "redis+socket://" + quote(redis_url.removeprefix("unix://"), safe="/?=&")
    return redis_url


# Bodies of pages are cached in each process: with Redis gone the portal keeps working, and
# every key carries the versions of what the body shows, so that no process serves an old one.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 2000},
    }
}

# --- Workers --------------------------------------------------------------------------------
CELERY_BROKER_URL = _broker_url(REDIS_URL)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False  # the database holds the truth; a lost message costs one sweep
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 0,
    "interval_start": 0,
    "retry_on_timeout": False,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = 80
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "changes.*": {"queue": "apply"},
    "clusters.*": {"queue": "sync"},
    # A slow clone must never keep a write or a read waiting.
    "configurations.tasks.source_check_run": {"queue": "source-checks"},
    "configurations.*": {"queue": "sync"},
}
CELERY_TIMEZONE = "UTC"
# A tick only asks the database what is due; it expires before the next one, so that a worker
# which was away never finds a heap of them.
CELERY_BEAT_SCHEDULE = {
    "observe what is watched": {
        "task": "configurations.tasks.observe_due",
        "schedule": 1.0,
        "options": {"expires": 2},
    },
    "delete unused secrets": {
        "task": "configurations.tasks.secrets_clean_up",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
    "read prerequisites": {
        "task": "clusters.tasks.prerequisites_due",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "plan prerequisites": {
        "task": "clusters.tasks.prerequisites_plan",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "read the fleet": {
        "task": "clusters.tasks.sync_due",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "look for Flux v1": {
        "task": "clusters.tasks.flux_v1_look",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "read open Kubernetes pages": {
        "task": "clusters.tasks.kubernetes_readings_due",
        "schedule": 2.0,
        "options": {"expires": 2},
    },
    "sweep operations": {
        "task": "changes.tasks.sweep",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
}

# --- Azure ----------------------------------------------------------------------------------
# A connection named in the environment is made or brought up to date at the start (clusters).
AZURE = {
    "name": env.str("FLUXGATE_AZURE_NAME", "Azure"),
    "cloud": env.str(
        "FLUXGATE_AZURE_CLOUD",
        "",
        validate=environs.validate.OneOf(["", "public", "china", "us-government", "custom"]),
    ),
    "arm_endpoint": env.str("FLUXGATE_AZURE_ARM_ENDPOINT", ""),
    "authority": env.str("FLUXGATE_AZURE_AUTHORITY", ""),
    "ca_file": env.str("FLUXGATE_AZURE_CA_PATH", ""),
    "tenant_id": env.str("FLUXGATE_AZURE_TENANT_ID", ""),
    "subscriptions": env.list("FLUXGATE_AZURE_SUBSCRIPTIONS", []),
    "sign_in": env.str(
        "FLUXGATE_AZURE_SIGN_IN",
        "default",
        validate=environs.validate.OneOf(
            ["default", "workload-identity", "managed-identity", "secret", "certificate"]
        ),
    ),
    "client_id": env.str("FLUXGATE_AZURE_CLIENT_ID", ""),
    "client_secret": env.str("FLUXGATE_AZURE_CLIENT_SECRET", ""),
    "certificate_path": env.str("FLUXGATE_AZURE_CERTIFICATE_PATH", ""),
    "api_version": env.str(
        "FLUXGATE_AZURE_API_VERSION",
        "2025-04-01",
        validate=environs.validate.OneOf(["2025-04-01", "2023-05-01"]),
    ),
    "reads": env.str(
        "FLUXGATE_AZURE_READS", "graph", validate=environs.validate.OneOf(["graph", "list"])
    ),
}
# Without it the switch stays as an admin has set it.
_kubernetes = env.str(
    "FLUXGATE_AZURE_KUBERNETES", "", validate=environs.validate.OneOf(["", "true", "false"])
)
AZURE_KUBERNETES: bool | None = _kubernetes == "true" if _kubernetes else None
# Seconds between two reads of a cluster's Kubernetes API while somebody has its page open.
KUBERNETES_SECONDS = env.float("FLUXGATE_KUBERNETES_SECONDS", 5.0)
# Seconds between two fleet reads, and between two full sweeps (design: 15 s and 5 min).
SYNC_DELTA_SECONDS = env.float("FLUXGATE_SYNC_DELTA_SECONDS", 15.0)
SYNC_SWEEP_SECONDS = env.float("FLUXGATE_SYNC_SWEEP_SECONDS", 300.0)
# Seconds between two looks at a subscription's providers, regions and the portal's rights there.
PREREQUISITES_SECONDS = env.float("FLUXGATE_PREREQUISITES_SECONDS", 3600.0)
# Seconds between two reads of a configuration that is being watched closely.
WATCH_SECONDS = env.float("FLUXGATE_WATCH_SECONDS", 2.0)
# A newer table of the versions of microsoft.flux than the one that ships (docs/configuration.md).
FLUX_VERSIONS_PATH: str = env.str("FLUXGATE_FLUX_VERSIONS_PATH", "")
if FLUX_VERSIONS_PATH and not Path(FLUX_VERSIONS_PATH).is_file():
    raise ImproperlyConfigured(
        f"FLUXGATE_FLUX_VERSIONS_PATH: there is no file {FLUX_VERSIONS_PATH}."
    )

# A text of a million characters can be pasted to be brought in.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000


# --- Check the source -----------------------------------------------------------------------
def _local_sources(entries: list[str]) -> dict[str, str]:
    """URL=PATH, as the simulator's --repo; the last "=" divides."""
    found = {}
    for entry in filter(None, entries):
        url, divided, path = entry.rpartition("=")
        if not divided or not Path(path).is_absolute():
            raise ImproperlyConfigured(
                "FLUXGATE_SOURCE_CHECK_LOCAL takes URL=PATH with an absolute path, "
                f"comma-separated; not {entry!r}."
            )
        found[url.strip().rstrip("/").removesuffix(".git").lower()] = path
    return found


SOURCE_CHECKS: dict[str, Any] = {
    "on": env.bool("FLUXGATE_SOURCE_CHECK", False),
    "hosts": env.list("FLUXGATE_SOURCE_CHECK_HOSTS", ["github.com", "gitlab.com", "bitbucket.org"]),
    "private_hosts": env.list("FLUXGATE_SOURCE_CHECK_PRIVATE_HOSTS", []),
    "ca_file": env.str("FLUXGATE_SOURCE_CHECK_CA_PATH", ""),
    "local": _local_sources(env.list("FLUXGATE_SOURCE_CHECK_LOCAL", [])),
    "seconds": env.float(
        "FLUXGATE_SOURCE_CHECK_SECONDS", 60.0, validate=environs.validate.Range(min=1, max=600)
    ),
    "megabytes": env.int(
        "FLUXGATE_SOURCE_CHECK_MEGABYTES", 100, validate=environs.validate.Range(min=1, max=4096)
    ),
}

# --- Sign-in and sessions -------------------------------------------------------------------
LOGIN_URL = "access:sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "access:sign_in"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.errors.csrf_failure"
CSRF_COOKIE_SAMESITE = "Lax"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if SECURE_SITE:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_SSL_REDIRECT = env.bool("FLUXGATE_SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Preloading binds a whole domain for good: its owner decides that, at the proxy.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}

# --- Words and time -------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# --- Files ----------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = TESTING or DEBUG

# --- Logs: one line an event, never a body or a header of a call to Azure -------------------
LOG_LEVEL = env.str("FLUXGATE_LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "azure": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
