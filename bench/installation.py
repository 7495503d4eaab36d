"""A Slipway in a directory of its own, for one benchmark."""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def set_up() -> Path:
    """Configure Django on a new data directory, migrate, make a workspace, and return the directory."""
    data = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    os.environ["SLIPWAY_DATA_DIR"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    from deployments.models import Workspace

    call_command("migrate", verbosity=0)
    Workspace.objects.create(name="Bench", slug="bench")
    return data
