"""Which token or GitHub App a repository is asked about with."""

import datetime
import fnmatch

from django.conf import settings
from django.utils import timezone

from deployments.github.client import AppAuth, GithubClient, TokenAuth
from deployments.models import GithubConnection, Repository, Workspace
from deployments.names import name_key

# Answers are kept for as long as GitHub may be asked again for the same; then their files are deleted.
_CACHE_DAYS = 30


def connection_for(workspace: Workspace, full_name: str) -> GithubConnection | None:
    """Return the first connection of a workspace that is for a repository, or None."""
    rows = GithubConnection.objects.filter(workspace=workspace).defer("token", "private_key")
    return next((row for row in rows if is_for(row, full_name)), None)


def is_for(connection: GithubConnection, full_name: str) -> bool:
    """Tell whether a connection is for a repository: one of its patterns matches the name, in any case."""
    return any(
        fnmatch.fnmatchcase(name_key(full_name), name_key(pattern)) for pattern in connection.repositories.split()
    )


def open_client(connection: GithubConnection, *, attempts: int = 4) -> GithubClient:
    """Return a client that speaks for a connection. Raises Undecipherable, and ValueError for a bad address."""
    if connection.kind == GithubConnection.Kind.APP:
        auth: TokenAuth | AppAuth = AppAuth(
            connection.app_id, connection.private_key, installation_id=connection.installation_id
        )
    else:
        auth = TokenAuth(connection.token)
    return GithubClient(connection.base_url, auth, cache_dir=settings.DATA_DIR / "github-cache", attempts=attempts)


def note_use(connection: GithubConnection, error: str = "") -> None:
    """Write down that a connection was used, and what went wrong, for whoever looks at the connect page."""
    GithubConnection.objects.filter(pk=connection.pk).update(used_at=timezone.now(), error=error[:500])


def can_ask_about(repository: Repository) -> bool:
    """Tell whether there is a connection for a repository."""
    return connection_for(repository.workspace, repository.full_name) is not None


def prune_cache(now: datetime.datetime) -> None:
    """Delete answers that were kept for long."""
    oldest = (now - datetime.timedelta(days=_CACHE_DAYS)).timestamp()
    for path in (settings.DATA_DIR / "github-cache").rglob("*"):
        if path.is_file() and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
