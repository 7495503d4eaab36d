"""Settings of Slipway. Everything that differs between installations comes from the environment.

`docs/operating.md` lists the variables. Product settings, with their reasons, stand in one block at the end.
"""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.management.utils import get_random_secret_key

from config.files import read_or_create

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Where things are kept -----------------------------------------------------------------------------------
DATA_DIR = Path(env.str("SLIPWAY_DATA_DIR", default=str(BASE_DIR / "data"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)

SECRET_KEY = env.str("SLIPWAY_SECRET_KEY", default="") or read_or_create(
    DATA_DIR / "secret-key", get_random_secret_key
)

# Former keys, after SLIPWAY_SECRET_KEY was changed: what they signed and encrypted can still be read.
SECRET_KEY_FALLBACKS = env.list("SLIPWAY_SECRET_KEY_FALLBACKS", default=[])

# --- How it is reached ---------------------------------------------------------------------------------------
DEBUG = env.bool("SLIPWAY_DEBUG", default=False)
PORT = env.int("PORT", default=8000)
BIND_HOST = env.str("SLIPWAY_HOST", default="127.0.0.1")
# The address under which people and machines reach Slipway, where it is not the one they used in the request.
BASE_URL = env.str("SLIPWAY_BASE_URL", default="").rstrip("/")
USES_TLS = BASE_URL.startswith("https://")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env.list("SLIPWAY_ALLOWED_HOSTS", default=[])]
if BASE_URL:
    ALLOWED_HOSTS.append(urlsplit(BASE_URL).hostname or "")
    CSRF_TRUSTED_ORIGINS = [BASE_URL]
# How many proxies stand in front and add to X-Forwarded-For. With 0 that header, which anyone can send, is ignored.
TRUSTED_PROXIES = env.int("SLIPWAY_TRUSTED_PROXIES", default=0)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = USES_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # the container's own check speaks plain HTTP
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if USES_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = USES_TLS
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

# Plotly writes style sheets of its own into the page; these are their digests. The browser tests fail on a
# refused style, so an upgrade of Plotly that changes one is noticed.
PLOTLY_STYLE_DIGESTS = [
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",  # an empty sheet, filled by script
    "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='",  # the sheet of its maps
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, *PLOTLY_STYLE_DIGESTS],
        "img-src": [SELF, "data:", "blob:"],  # Plotly's “download as PNG”
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# --- What it is made of --------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "deployments",
    "metrics",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "csp",
    "drf_spectacular",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "deployments.api.throttling.RateLimitHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "deployments.pages.workspaces.WorkspaceMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
            ]
        },
    }
]
AUTH_USER_MODEL = "deployments.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "metrics:overview"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database ------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'slipway.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue at BEGIN instead of failing half-way through.
        "transaction_mode": "IMMEDIATE",
        # Longer than any write of a worker takes: a report is never refused because another is being stored.
        "timeout": 60,
        # WAL lets pages be read while a worker writes. A 202 promises that the job survives a power cut, which
        # WAL keeps only with synchronous=FULL.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
        " PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;",
    }

# --- Cache, broker, workers ----------------------------------------------------------------------------------
# Redis, shared by all processes, or none at all: then the rate limit is counted in the database.
CACHE_URL = env.str("CACHE_URL", default="")
CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://")}

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="filesystem://")
CELERY_BROKER_TRANSPORT: str | None = None  # the one that the URL names
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {}
if CELERY_BROKER_URL.startswith("filesystem"):
    CELERY_BROKER_TRANSPORT = "config.broker:Transport"
    _BROKER_DIR = DATA_DIR / "broker"
    _BROKER_DIR.mkdir(exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_BROKER_DIR),
        "data_folder_out": str(_BROKER_DIR),
        "control_folder": str(DATA_DIR / "broker-control"),
        "polling_interval": 0.2,  # seconds; a deployment is to be seen within 2 seconds of its 202
    }
elif CELERY_BROKER_URL.startswith("redis"):
    # A broker that is away must not hold up an answer: the sweep finds the job when it is back.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
    }
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Its own for each installation, so that two of them on one broker do not take one another's messages.
CELERY_TASK_DEFAULT_QUEUE = f"slipway-{hashlib.sha256(SECRET_KEY.encode()).hexdigest()[:12]}"
# Asking others may take long, so a worker of its own does it: nothing that was reported waits behind it.
GITHUB_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}-github"
# And so do those whom webhooks tell of what happens.
WEBHOOK_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}-webhooks"
CELERY_TASK_ROUTES = {
    "deployments.tasks.ask_github": {"queue": GITHUB_QUEUE},
    "deployments.tasks.deliver_webhooks": {"queue": WEBHOOK_QUEUE},
    "metrics.tasks.send_digests": {"queue": GITHUB_QUEUE},
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_BEAT_SCHEDULE = {
    # What no bell announced, or what a crash left, is found within this many seconds. A sweep that is not
    # run in time is dropped, so that sweeps never pile up behind long work.
    "sweep": {"task": "deployments.tasks.sweep", "schedule": 1.0, "options": {"expires": 1.0}},
    "ask-github": {"task": "deployments.tasks.ask_github", "schedule": 10.0, "options": {"expires": 10.0}},
    # What is to be tried again, and what a crash left.
    "deliver-webhooks": {
        "task": "deployments.tasks.deliver_webhooks",
        "schedule": 1.0,
        "options": {"expires": 1.0},
    },
    # Pages are exact meanwhile: they read days that have changed from their rows.
    "rebuild-rollups": {"task": "metrics.tasks.rebuild_rollups", "schedule": 5.0, "options": {"expires": 5.0}},
    # Time zones differ by quarters of an hour.
    "send-digests": {
        "task": "metrics.tasks.send_digests",
        "schedule": crontab(minute="*/15"),
        "options": {"expires": 900.0},
    },
    "prune": {"task": "deployments.tasks.prune", "schedule": 3600.0, "options": {"expires": 3600.0}},
}

# --- Static files --------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "config.plotly_finder.PlotlyFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 3600

# --- Language and time ---------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

# --- HTTP API ------------------------------------------------------------------------------------------------
APPEND_SLASH = True
# Larger bodies are refused by SLIPWAY_MAX_BODY_BYTES before Django reads them.
DATA_UPLOAD_MAX_MEMORY_SIZE = 25 * 1024 * 1024 + 1
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["deployments.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["deployments.api.authentication.HasScope"],
    "DEFAULT_PARSER_CLASSES": [],  # ApiView.json_body reads bodies
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "deployments.api.negotiation.AnyAccept",
    "EXCEPTION_HANDLER": "deployments.api.problems.problem_response",
    "DEFAULT_SCHEMA_CLASS": "deployments.api.openapi.generating.ApiSchema",
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": TRUSTED_PROXIES,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Slipway",
    "DESCRIPTION": "Deployments, incidents and the DORA metrics. JSON in UTF-8; moments are ISO 8601 in UTC.",
    "SCHEMA_PATH_PREFIX": "",
    "SORT_OPERATIONS": False,
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,
    "PREPROCESSING_HOOKS": ["deployments.api.openapi.generating.leave_out_other_addresses"],
    "POSTPROCESSING_HOOKS": ["deployments.api.openapi.generating.add_the_rest"],
}

# --- Mail ----------------------------------------------------------------------------------------------------
# Where none is configured no mail is sent, and pages say so.
EMAIL_URL = env.str("EMAIL_URL", default="")
globals().update(env.email_url_config(EMAIL_URL or "dummymail://"))
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.str("SLIPWAY_MAIL_FROM", default="Slipway <slipway@localhost>")

# --- Logging -------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("SLIPWAY_LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "ERROR"},  # warns of each connection that a broker of files has no host
    },
}

# --- Slipway's own -------------------------------------------------------------------------------------------
VERSION = "0.1.0"
# Requests that report something, for each API key. `off` for none.
SLIPWAY_RATE_LIMIT = env.str("SLIPWAY_RATE_LIMIT", default="120/minute")
# Requests that only read. Five times as many, and counted apart, so that a dashboard script cannot keep CI out.
SLIPWAY_READ_RATE_LIMIT = env.str("SLIPWAY_READ_RATE_LIMIT", default="600/minute")
# Failed authentications, for each address. A valid key is let in whatever others do from its address.
SLIPWAY_FAILED_AUTH_RATE_LIMIT = env.str("SLIPWAY_FAILED_AUTH_RATE_LIMIT", default="60/minute")
SLIPWAY_MAX_BODY_BYTES = 10 * 1024 * 1024
SLIPWAY_MAX_BATCH_BODY_BYTES = 25 * 1024 * 1024
SLIPWAY_MAX_BATCH_ITEMS = 1000
SLIPWAY_MAX_WEBHOOK_BODY_BYTES = 25 * 1024 * 1024  # GitHub delivers nothing larger
# Where GitHub's API is asked; a connection can name an Enterprise Server's.
SLIPWAY_GITHUB_API_URL = env.str("SLIPWAY_GITHUB_API_URL", default="https://api.github.com").rstrip("/")
# Networks of one's own into which digests and webhooks may be sent all the same, such as 10.1.0.0/16.
SLIPWAY_ALLOWED_PRIVATE_NETWORKS = env.list("SLIPWAY_ALLOWED_PRIVATE_NETWORKS", default=[])
# How long the former deployment secret is good after a new one was made, unless something else is asked for.
SLIPWAY_SECRET_OVERLAP_HOURS = env.int("SLIPWAY_SECRET_OVERLAP_HOURS", default=24)
# Two sources that tell of the same commit in the same place within so much time tell of one deployment.
SLIPWAY_SAME_DEPLOYMENT_SECONDS = 3600
# Reported commits are dated by their machines, deployments by CI's: a little ahead of ours is no error.
SLIPWAY_MAX_CLOCK_SKEW_SECONDS = 600
# Ended jobs, and the requests that were refused, are kept this long.
SLIPWAY_JOB_RETENTION_DAYS = env.int("SLIPWAY_JOB_RETENTION_DAYS", default=90)
SLIPWAY_REFUSED_RETENTION_DAYS = env.int("SLIPWAY_REFUSED_RETENTION_DAYS", default=7)
# Jobs that a worker takes at once. More saves commits, but on SQLite it holds the write lock for longer.
SLIPWAY_JOB_BATCH_SIZE = env.int("SLIPWAY_JOB_BATCH_SIZE", default=50)
# Left between two transactions of a worker on SQLite, for requests that wait for their turn to write.
SLIPWAY_SQLITE_GAP_SECONDS = 0.02
# A worker that says nothing for so long is dead, and its jobs are given to another.
SLIPWAY_JOB_CLAIM_SECONDS = env.int("SLIPWAY_JOB_CLAIM_SECONDS", default=15)
# Workers that wait for others' answers: they ask GitHub and send digests. Without a token, an App or a digest they
# have nothing to do, and none is needed.
SLIPWAY_GITHUB_WORKERS = env.int("SLIPWAY_GITHUB_WORKERS", default=1)
# Workers that deliver to webhooks, each to many receivers at once.
SLIPWAY_WEBHOOK_WORKERS = env.int("SLIPWAY_WEBHOOK_WORKERS", default=1)
SLIPWAY_WEB_WORKERS = env.int("SLIPWAY_WEB_WORKERS", default=2)
SLIPWAY_JOB_WORKERS = env.int("SLIPWAY_JOB_WORKERS", default=1 if "sqlite" in DATABASES["default"]["ENGINE"] else 2)
