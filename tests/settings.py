"""The settings of the tests: the product's own, in a directory of their own, with cheap password hashes."""

import atexit
import os
import shutil
import tempfile

if "SLIPWAY_DATA_DIR" not in os.environ:
    os.environ["SLIPWAY_DATA_DIR"] = tempfile.mkdtemp(prefix="slipway-tests-")
    atexit.register(shutil.rmtree, os.environ["SLIPWAY_DATA_DIR"], ignore_errors=True)

if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0" and os.environ.get("CACHE_URL", "").startswith("redis"):
    # Counters of its own for each process of the suite: some tests forget them all.
    server, _, number = os.environ["CACHE_URL"].rpartition("/")
    os.environ["CACHE_URL"] = f"{server}/{int(number) + 1 + int(os.environ['PYTEST_XDIST_WORKER'][2:])}"

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CELERY_TASK_ALWAYS_EAGER = False
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405
    # A file, as in production: locks of a database in memory are other locks.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "tests.sqlite3")}  # noqa: F405
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"  # noqa: F405
STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405
SLIPWAY_SQLITE_GAP_SECONDS = 0  # nobody else writes
