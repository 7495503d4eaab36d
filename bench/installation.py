"""A Slipway in a directory or database of its own, for one benchmark."""

import os
import sys
import tempfile
import uuid
from pathlib import Path

ROOT = Path(__file__).parent.parent


def configure(data: Path, database_url: str | None = None) -> None:
    """Configure Django on a data directory, and on a database where one is named; migrate, collect static files."""
    os.environ["SLIPWAY_DATA_DIR"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["SLIPWAY_ALLOWED_HOSTS"] = "testserver"
    if database_url:
        os.environ["DATABASE_URL"] = database_url
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def set_up() -> Path:
    """Configure Django on a new data directory, migrate, make a workspace, and return the directory."""
    data = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    configure(data)
    from deployments.models import Workspace

    Workspace.objects.create(name="Bench", slug="bench")
    return data


def generated(deployments: int) -> uuid.UUID:
    """Return the workspace of a generated history of so many deployments, with its rollups.

    It is made where there is none. One that is there is used as it is: a large one takes long to make.
    """
    from django.core.management import call_command

    from deployments.models import Deployment, Workspace
    from metrics.rebuilding import rebuild

    workspace = Workspace.objects.filter(slug="generated").first()
    if workspace is None or not Deployment.objects.filter(workspace=workspace).exists():
        call_command("generate_history", deployments=deployments)
        workspace = Workspace.objects.get(slug="generated")
    rebuild()
    return workspace.pk
