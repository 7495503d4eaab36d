"""Finds the people who are in no team yet."""

from itertools import chain

from deployments.models import Commit, Deployment, PullRequest, TeamMember, Workspace
from deployments.names import name_key

# How many of the latest deployments, pull requests and commits are looked through.
_LATEST = 1_000
_MOST = 40


def people_without_team(workspace: Workspace) -> list[str]:
    """Return the names of those who were seen lately and are in no team, the latest first. Bots are left out."""
    deployments = Deployment.objects.filter(workspace=workspace).newest_first()
    pull_requests = PullRequest.objects.filter(repository__workspace=workspace, author_is_bot=False).order_by("-pk")
    commits = Commit.objects.filter(repository__workspace=workspace).order_by("-pk")
    seen = chain.from_iterable(
        rows.values_list("author", flat=True)[:_LATEST] for rows in (deployments, pull_requests, commits)
    )
    known = set(TeamMember.objects.filter(team__workspace=workspace).values_list("name_key", flat=True))
    known.update(name_key(name) for name in workspace.bot_names)
    found: dict[str, str] = {}
    for name in seen:
        key = name_key(name)
        if key and key not in known and not key.endswith("[bot]"):
            found.setdefault(key, name.strip())
    return list(found.values())[:_MOST]
