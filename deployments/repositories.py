"""Follows repositories by GitHub's id, whatever they are called."""

import datetime
from dataclasses import dataclass

from django.db.models import F, Q

from deployments.catalog import Catalog
from deployments.models import (
    Application,
    Change,
    Commit,
    DeploymentOrigin,
    FormerName,
    HistoryGap,
    Incident,
    MissingParent,
    PullRequest,
    Repository,
    ShippedCommit,
    Track,
    Workspace,
)
from deployments.models.github import GitRef
from deployments.names import name_key
from deployments.origins import find_same, unite
from deployments.signals import tell_days_changed


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """What one event tells of its repository."""

    github_id: int
    full_name: str
    told_at: datetime.datetime | None = None
    default_branch: str = ""
    is_archived: bool = False
    former_name: str = ""  # where the event is that it was renamed or transferred


def follow(catalog: Catalog, facts: RepositoryFacts) -> Repository:
    """Return the repository that an event is about, and bring its name and facts up to date.

    The latest event counts, however late it arrives. A name that it once had leads to it still, unless another
    repository bears it now; what was reported under one of its names before its id was known becomes its own. The
    caller holds a transaction.
    """
    repository = _of_id(catalog, facts)
    if repository is None:
        repository = _adopt_or_create(catalog, facts)
    if facts.former_name:
        _lead_here(repository, facts.former_name)
    if _is_news(repository, facts):
        _apply(repository, facts)
    elif name_key(facts.full_name) != repository.full_name_key:
        _lead_here(repository, facts.full_name)
    catalog.forget_repositories()
    return repository


def _of_id(catalog: Catalog, facts: RepositoryFacts) -> Repository | None:
    # Held as whoever works out its pull requests and changes holds it, before any track.
    rows = Repository.objects.select_for_update(no_key=True)
    return rows.filter(workspace=catalog.workspace, github_id=facts.github_id).first()


def _adopt_or_create(catalog: Catalog, facts: RepositoryFacts) -> Repository:
    key = name_key(facts.full_name)
    of_name = Repository.objects.filter(workspace=catalog.workspace, full_name_key=key).first()
    if of_name is not None and of_name.github_id is None:
        of_name.github_id = facts.github_id
        of_name.save(update_fields=["github_id"])
        return of_name
    # Either nobody bears the name, or another repository does: which of them bears it now, the latest event says.
    name = facts.full_name if of_name is None else _stand_in_name(facts.full_name, facts.github_id)
    FormerName.objects.filter(workspace=catalog.workspace, full_name_key=name_key(name)).delete()
    return Repository.objects.create(workspace=catalog.workspace, full_name=name, github_id=facts.github_id)


def _stand_in_name(name: str, github_id: int) -> str:
    return f"{name[:220]} (GitHub id {github_id})"


def _is_news(repository: Repository, facts: RepositoryFacts) -> bool:
    if repository.facts_at is None or facts.told_at is None:
        return repository.facts_at is None
    if facts.former_name:
        return facts.told_at >= repository.facts_at
    if facts.told_at == repository.facts_at:  # the same facts, or an event that does not move the repository's date
        return name_key(facts.full_name) == repository.full_name_key
    return facts.told_at > repository.facts_at


def _apply(repository: Repository, facts: RepositoryFacts) -> None:
    if name_key(facts.full_name) != repository.full_name_key:
        _rename(repository, facts)
    before = _told_of(repository)
    repository.is_archived = facts.is_archived
    if facts.told_at is not None:
        repository.facts_at = max(facts.told_at, repository.facts_at or facts.told_at)
    if facts.default_branch and facts.default_branch != repository.default_branch:
        repository.default_branch = facts.default_branch
        branch = GitRef.objects.filter(repository=repository, name=f"refs/heads/{facts.default_branch}").first()
        repository.default_branch_sha = branch.sha if branch else ""
        Track.objects.of_repository(repository).count_waiting_again()
    if _told_of(repository) != before:  # hardly any event tells something new of its repository
        repository.save()


def _told_of(repository: Repository) -> tuple[object, ...]:
    return (
        repository.is_archived,
        repository.facts_at,
        repository.default_branch,
        repository.default_branch_sha,
    )


def _rename(repository: Repository, facts: RepositoryFacts) -> None:
    former, key = repository.full_name, name_key(facts.full_name)
    other = Repository.objects.filter(workspace=repository.workspace, full_name_key=key).first()
    if other is not None and other.github_id is None:
        merge(repository, other)
    elif other is not None:
        if other.facts_at is not None and facts.told_at is not None and other.facts_at > facts.told_at:
            return  # it took the name over later than this event tells
        other.full_name = _stand_in_name(other.full_name, other.github_id or 0)
        other.save(update_fields=["full_name", "full_name_key"])
    FormerName.objects.filter(workspace=repository.workspace, full_name_key=key).delete()
    repository.full_name = facts.full_name
    repository.save(update_fields=["full_name", "full_name_key"])
    default = repository.applications.filter(is_default=True).first()
    if default is not None and not repository.applications.filter(name_key=name_key(repository.short_name)).exists():
        default.name = repository.short_name
        default.save(update_fields=["name", "name_key"])
    if "(GitHub id " not in former:
        _lead_here(repository, former)


def _lead_here(repository: Repository, former_name: str) -> None:
    """Have a former name lead to the repository, and take over what was reported under it without an id."""
    key = name_key(former_name)
    if key == repository.full_name_key:
        return
    other = Repository.objects.filter(workspace=repository.workspace, full_name_key=key).first()
    if other is not None and other.github_id is not None:
        return
    if other is not None:
        merge(repository, other)
    FormerName.objects.get_or_create(
        workspace=repository.workspace, full_name_key=key, defaults={"repository": repository}
    )


def merge(kept: Repository, other: Repository) -> None:
    """Make everything of another repository this one's; its changes are worked out anew.

    The other one was only ever reported under a name: it has no pushes, pull requests and releases.
    """
    tracks = Track.objects.filter(application__repository__in=[kept, other])
    Change.objects.filter(deployment__track__in=tracks).delete()
    ShippedCommit.objects.filter(track__in=tracks).delete()
    HistoryGap.objects.filter(repository__in=[kept, other]).delete()
    for application in other.applications.all():
        _move_application(kept, application)
    _move_commits(kept, other)
    Incident.objects.filter(repository=other).update(repository=kept)
    FormerName.objects.filter(repository=other).update(repository=kept)
    Track.objects.filter(application__repository=kept).update(rebuild_pending=True)
    PullRequest.objects.filter(repository=kept).update(changes_pending=True)
    other.delete()


def _move_application(kept: Repository, application: Application) -> None:
    same = kept.applications.filter(name_key=application.name_key).first()
    if same is None:
        application.repository, application.is_default = kept, False
        application.save(update_fields=["repository", "is_default"])
        return
    for track in application.tracks.all():
        mine, _ = Track.objects.get_or_create(application=same, environment_id=track.environment_id)
        _move_deployments(track, mine)
    _move_settings(application, same)
    application.delete()


def _move_deployments(track: Track, mine: Track) -> None:
    stated = {
        (row.version, row.commit_sha, row.deployed_at): row
        for row in mine.deployments.filter(deployed_at_is_stated=True)
    }
    for row in track.deployments.filter(deployed_at_is_stated=True):
        if same := stated.get((row.version, row.commit_sha, row.deployed_at)):
            row.incidents_caused.update(cause=same, cause_pending=True)
            row.delete()
    moved = list(track.deployments.in_track_order())
    DeploymentOrigin.objects.filter(deployment__in=moved).update(application=mine.application_id)
    known = [find_same(mine, row.commit_sha, row.deployed_at, *row.sources) for row in moved]
    track.deployments.update(track=mine, application=mine.application_id)
    tell_days_changed(
        (row.environment_id, row.deployed_at, application)
        for row in moved
        for application in (row.application_id, mine.application_id)
    )
    united = set[int]()
    for row, same in zip(moved, known, strict=True):
        if same is not None and same.pk not in united:
            row.refresh_from_db()
            unite(same, row)
            united.add(same.pk)


def _move_settings(application: Application, same: Application) -> None:
    """Keep what people have set up for an application that turns out to be another one."""
    for trigger in application.triggers.all():
        if not same.triggers.filter(
            kind=trigger.kind, pattern=trigger.pattern, environment=trigger.environment_id
        ).exists():
            trigger.application = same
            trigger.save(update_fields=["application"])
    if not same.monorepo_path_is_pinned and (application.monorepo_path_is_pinned or not same.monorepo_path):
        same.monorepo_path = application.monorepo_path
        same.monorepo_path_is_pinned = application.monorepo_path_is_pinned
        same.save(update_fields=["monorepo_path", "monorepo_path_is_pinned"])
    Incident.objects.filter(application=application).update(application=same)
    Workspace.objects.filter(default_application=application).update(default_application=same)


def _move_commits(kept: Repository, other: Repository) -> None:
    known = Commit.objects.filter(repository=kept).values("sha")
    MissingParent.objects.filter(repository=other).delete()
    Commit.objects.filter(repository=other, sha__in=known).delete()
    moved = list(Commit.objects.filter(repository=other).values_list("id", "sha", "parents"))
    Commit.objects.filter(repository=other).update(repository=kept)
    shas = set(Commit.objects.filter(repository=kept).values_list("sha", flat=True))
    MissingParent.objects.bulk_create(
        [
            MissingParent(repository=kept, sha=parent, child_id=id_)
            for id_, sha, parents in moved
            for parent in (parents.split() if parents is not None else [sha])
            if parents is None or parent not in shas
        ],
        ignore_conflicts=True,
    )
    # What was missing in either may be known in the other.
    found = MissingParent.objects.filter(
        repository=kept, sha__in=Commit.objects.filter(repository=kept).values("sha")
    )
    found.exclude(child__parents=None).filter(~Q(sha=F("child__sha"))).delete()
