"""Imports a repository's history from a local clone: each tag is a deployment."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import transaction

from deployments import waiting
from deployments.catalog import Catalog
from deployments.changes import derive_batch
from deployments.commits import CommitReport, record_commits
from deployments.git import Clone, Tag
from deployments.models import Change, Deployment, MissingParent, Repository, Track
from deployments.recording import DeploymentReport, record_deployment
from deployments.signals import reading_history

# Commits stored in one transaction, so that reports that arrive meanwhile do not wait for long.
_COMMITS_AT_ONCE = 10_000
_DEPLOYMENTS_AT_ONCE = 200

# Called with the name of a step, how many of what it has to do are done, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Destination:
    """What the tags are deployments of, and where to."""

    repository: str
    app: str
    environment: str
    monorepo_path: str | None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import added."""

    commits: int
    deployments: int
    changes: int


def import_git(catalog: Catalog, clone: Clone, tags: list[Tag], to: Destination, progress: Progress) -> Imported:
    """Record the tags as deployments, with all commits that lead to them. A second run adds what is new."""
    repository = catalog.repository(to.repository)
    track = catalog.track(catalog.application(repository, to.app), catalog.environment(to.environment))
    changes_before = _changes(track)
    commits = _import_commits(repository, clone, tags, with_files=bool(to.monorepo_path), progress=progress)
    deployments = _import_deployments(catalog, track, tags, to, progress)
    _derive(track, progress)
    for track_id in Track.objects.of_repository(repository).values_list("pk", flat=True):
        waiting.count_waiting(track_id)
    return Imported(commits, deployments, _changes(track) - changes_before)


def _changes(track: Track) -> int:
    return Change.objects.filter(deployment__track=track).count()


def _import_commits(
    repository: Repository, clone: Clone, tags: list[Tag], *, with_files: bool, progress: Progress
) -> int:
    branch = clone.default_branch()
    tips = {tag.sha for tag in tags} | ({branch[1]} if branch else set())
    exclude = _complete_tips(repository, clone, with_files)
    total = clone.count(tips, exclude)
    done = 0
    for batch in _batches(clone.commits(tips, exclude), _COMMITS_AT_ONCE):
        if with_files:
            touched = clone.files(commit.sha for commit in batch if len(commit.parents or ()) < 2)
            for commit in batch:
                commit.files = touched.get(commit.sha)
        record_commits(repository, batch)
        done += len(batch)
        progress("commits", done, total)
    if branch:
        repository.default_branch, repository.default_branch_sha = branch
        with transaction.atomic():
            repository.save(update_fields=["default_branch", "default_branch_sha"])
            Track.objects.of_repository(repository).count_waiting_again()
    return total


def _complete_tips(repository: Repository, clone: Clone, with_files: bool) -> list[str]:
    """Return commits of the clone whose whole history is known already and need not be read again."""
    if MissingParent.objects.filter(repository=repository).exists():
        return []
    known = repository.commits
    if with_files and known.filter(files=None).exclude(parents__contains=" ").exists():
        return []
    tips = {repository.default_branch_sha} - {""}
    tips.update(
        Deployment.objects.filter(application__repository=repository).values_list("commit_sha", flat=True).distinct()
    )
    return clone.holds(known.filter(sha__in=tips).values_list("sha", flat=True))


def _batches(commits: Iterable[CommitReport], size: int) -> Iterable[list[CommitReport]]:
    iterator = iter(commits)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _import_deployments(catalog: Catalog, track: Track, tags: list[Tag], to: Destination, progress: Progress) -> int:
    known = set(
        track.deployments.filter(deployed_at_is_stated=True).values_list("version", "commit_sha", "deployed_at")
    )
    new = [tag for tag in tags if (tag.name, tag.sha, tag.created_at) not in known]
    for start in range(0, len(new), _DEPLOYMENTS_AT_ONCE):
        with reading_history(), transaction.atomic():
            for tag in new[start : start + _DEPLOYMENTS_AT_ONCE]:
                record_deployment(catalog, _report(tag, to), reported_at=tag.created_at, source=Deployment.Source.GIT)
        progress("deployments", min(start + _DEPLOYMENTS_AT_ONCE, len(new)), len(new))
    return len(new)


def _report(tag: Tag, to: Destination) -> DeploymentReport:
    return DeploymentReport(
        repository=to.repository,
        app=to.app,
        environment=to.environment,
        version=tag.name,
        commit_sha=tag.sha,
        deployed_at=tag.created_at,
        monorepo_path=to.monorepo_path,
    )


def _derive(track: Track, progress: Progress) -> None:
    total, done = 0, 0
    while number := derive_batch(track.pk):
        done += number
        total = total or done + track.deployments.filter(lineage_pending=True).count()
        progress("changes", done, total)
