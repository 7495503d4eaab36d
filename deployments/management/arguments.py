"""Arguments that several commands share."""

from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError

from deployments.models import Workspace


def find_workspace(slug: str | None) -> Workspace:
    """Return the workspace of this slug, or the only one there is. Raises CommandError."""
    try:
        return _find_workspace(slug)
    except (OperationalError, ProgrammingError) as error:
        raise CommandError(f"The database cannot be used; `make run` sets it up. ({error})") from error


def _find_workspace(slug: str | None) -> Workspace:
    if slug is not None:
        workspace = Workspace.objects.filter(slug=slug).first()
        if workspace is None:
            raise CommandError(f"There is no workspace “{slug}”; `list_workspaces` shows which there are.")
        return workspace
    workspaces = list(Workspace.objects.order_by("created_at")[:2])
    if not workspaces:
        raise CommandError("There is no workspace yet: `make run` or `manage.py create_workspace` makes one.")
    if len(workspaces) > 1:
        raise CommandError("There are several workspaces: say which one with --workspace SLUG.")
    return workspaces[0]
