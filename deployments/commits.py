"""Records what is told of commits, and finds the deployments whose changes it bears on."""

import datetime
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from deployments.bulk import insert_rows
from deployments.lineage import generation_of, order_parents_first
from deployments.linking import pull_request_number
from deployments.models import (
    ChangeKind,
    Commit,
    Deployment,
    HistoryGap,
    MissingParent,
    PullRequest,
    PullRequestCommit,
    Repository,
    ShippedCommit,
    Track,
)

# Hashes in one query, which may use them several times: below the 32,766 variables that SQLite allows.
_CHUNK = 5_000


@dataclass(slots=True)
class CommitReport:
    """What one source tells of a commit. None means that it did not tell."""

    sha: str
    parents: tuple[str, ...] | None = None
    authored_at: datetime.datetime | None = None
    committed_at: datetime.datetime | None = None
    author: str = ""
    message: str = ""
    files: tuple[str, ...] | None = None
    parents_are_inferred: bool = False
    # Inferred from the push that brought the commit, not from a later one that listed it once more.
    parents_are_first_hand: bool = False


def record_commits(repository: Repository, reports: Sequence[CommitReport]) -> None:
    """Store commits, and mark every deployment whose changes have to be worked out again for them.

    Telling the same again changes nothing. Exact parents replace inferred ones.
    """
    by_sha = _merged(reports)
    with transaction.atomic():
        # One at a time for each repository: two that tell of a parent and of its child at the same moment
        # would otherwise not see one another.
        held = Repository.objects.select_for_update().get(pk=repository.pk)
        known = _known(repository, by_sha)
        new = [report for sha, report in by_sha.items() if sha not in known]
        if held.default_branch_sha in by_sha.keys() - known.keys():
            _count_waiting_again(repository)
        _insert(repository, new)
        _complete(repository, [(known[sha], by_sha[sha]) for sha in known])
        _revisit(repository, [report.sha for report in new])
        _mark_pull_requests(repository, by_sha.values())


def _count_waiting_again(repository: Repository) -> None:
    """More is known of what lies between the default branch and what is deployed."""
    Track.objects.of_repository(repository).count_waiting_again()


def _merged(reports: Sequence[CommitReport]) -> dict[str, CommitReport]:
    """Return one report for each commit, with all that any of them tells."""
    by_sha: dict[str, CommitReport] = {}
    for report in reports:
        known = by_sha.setdefault(report.sha, report)
        if known is not report:
            by_sha[report.sha] = _merge(known, report)
    return by_sha


def _merge(first: CommitReport, second: CommitReport) -> CommitReport:
    exact = first if first.parents is not None and not first.parents_are_inferred else second
    parents = exact if exact.parents is not None else first
    return CommitReport(
        sha=first.sha,
        parents=parents.parents,
        parents_are_inferred=parents.parents_are_inferred,
        parents_are_first_hand=parents.parents_are_first_hand,
        authored_at=first.authored_at or second.authored_at,
        committed_at=first.committed_at or second.committed_at,
        author=first.author or second.author,
        message=first.message or second.message,
        files=second.files if first.files is None else first.files,
    )


def _chunks(shas: Iterable[str]) -> Iterator[list[str]]:
    everything = sorted(shas)
    for start in range(0, len(everything), _CHUNK):
        yield everything[start : start + _CHUNK]


def _known(repository: Repository, shas: Iterable[str]) -> dict[str, Commit]:
    found: dict[str, Commit] = {}
    if not repository.commits.exists():  # a first import asks for every hash there is
        return found
    for chunk in _chunks(shas):
        commits = Commit.objects.filter(repository=repository, sha__in=chunk).defer("message")
        found.update((commit.sha, commit) for commit in commits)
    return found


def _generations(repository: Repository, shas: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in _chunks(shas):
        found.update(Commit.objects.filter(repository=repository, sha__in=chunk).values_list("sha", "generation"))
    return found


def _insert(repository: Repository, reports: list[CommitReport]) -> None:
    if not reports:
        return
    by_sha = {report.sha: report for report in reports}
    ordered = order_parents_first(list(by_sha), lambda sha: by_sha[sha].parents or ())
    if len(ordered) < len(by_sha):
        _refuse_circle({sha: by_sha[sha].parents or () for sha in by_sha.keys() - set(ordered)})
    outside = {parent for report in reports for parent in report.parents or () if parent not in by_sha}
    generations = _generations(repository, outside)
    missing = outside - generations.keys()
    for sha in ordered:
        generations[sha] = _generation(by_sha[sha], generations)
    insert_rows(Commit, _COLUMNS, (_row(repository, by_sha[sha], generations[sha]) for sha in ordered))
    _raise_generations_above(repository, {sha: generations[sha] for sha in ordered})
    _note_missing_parents(repository, by_sha.values(), missing)
    _compare_again(repository, missing)


def _refuse_circle(left_out: dict[str, tuple[str, ...]]) -> None:
    """Name a commit of a circle, given the commits that no order puts after all of their parents."""
    sha, seen = min(left_out), set[str]()
    while sha not in seen:
        seen.add(sha)
        sha = next(parent for parent in left_out[sha] if parent in left_out)
    raise ValueError(f"commit {sha} would be an ancestor of itself")


def _generation(report: CommitReport, generations: dict[str, int]) -> int:
    dated_at = report.committed_at or report.authored_at
    return generation_of(
        int(dated_at.timestamp()) if dated_at else None,
        (generations[parent] for parent in report.parents or () if parent in generations),
    )


_COLUMNS = (
    "repository", "sha", "parents", "parents_are_inferred", "generation",
    "authored_at", "committed_at", "author", "message", "files", "pull_request_number",
)  # fmt: skip


def _row(repository: Repository, report: CommitReport, generation: int) -> tuple[object, ...]:
    return (
        repository.pk,
        report.sha,
        None if report.parents is None else " ".join(report.parents),
        report.parents_are_inferred,
        generation,
        report.authored_at,
        report.committed_at,
        report.author,
        report.message,
        None if report.files is None else "\n".join(report.files),
        pull_request_number(report.message),
    )


def _note_missing_parents(repository: Repository, reports: Iterable[CommitReport], missing: set[str]) -> None:
    """Keep a row for each parent that is not known, and one with its own hash for a commit that names none."""
    parents: dict[str, list[str]] = {}
    for report in reports:
        if report.parents is None:
            parents[report.sha] = [report.sha]
        elif names := [parent for parent in report.parents if parent in missing]:
            parents[report.sha] = names
    if not parents:
        return
    ids: dict[str, int] = {}
    for chunk in _chunks(parents):
        ids.update(Commit.objects.filter(repository=repository, sha__in=chunk).values_list("sha", "id"))
    MissingParent.objects.bulk_create(
        [
            MissingParent(repository=repository, sha=parent, child_id=ids[sha])
            for sha, names in sorted(parents.items())
            for parent in dict.fromkeys(names)
        ],
        ignore_conflicts=True,
    )


def _raise_generations_above(repository: Repository, arrived: dict[str, int]) -> None:
    """Keep every child above its parents where parents arrive after their children.

    With true committer dates nothing has to be raised, since the children are younger anyway.
    """
    wanted: list[_Raise] = []
    if not MissingParent.objects.filter(repository=repository).exists():
        return
    for chunk in _chunks(arrived):
        rows = MissingParent.objects.filter(repository=repository, sha__in=chunk)
        for child_id, child_sha, child_generation, sha in rows.values_list(
            "child_id", "child__sha", "child__generation", "sha"
        ):
            if child_generation <= arrived[sha]:
                wanted.append((child_generation, child_sha, child_id, arrived[sha] + 1))
        if rows.delete()[0]:
            _count_waiting_again(repository)
    _raise(repository, wanted)


# Generation now, hash, id, generation wanted.
_Raise = tuple[int, str, int, int]
# Commits are raised from the lowest up, each once; again only where parents are told that stand above it.
_MOST_RAISES = 100


def _raise(repository: Repository, wanted: list[_Raise]) -> None:
    """Raise commits to the generations wanted, and their descendants as far as that makes it necessary.

    Raises ValueError where the commits form a circle, which no Git history does.
    """
    heapq.heapify(wanted)
    raised: dict[str, int] = {}
    times: Counter[str] = Counter()
    while wanted:
        generation, sha, commit_id, target = heapq.heappop(wanted)
        while wanted and wanted[0][:2] == (generation, sha):
            target = heapq.heappop(wanted)[3]  # the highest comes last
        if raised.get(sha, generation) >= target:
            continue
        times[sha] += 1
        if times[sha] > _MOST_RAISES:
            raise ValueError(f"commit {sha} would be an ancestor of itself")
        Commit.objects.filter(pk=commit_id).update(generation=target)
        raised[sha] = target
        # A child that has just been given this parent may stand no higher than it. One that stood below is raised
        # already: the lowest come first.
        children = Commit.objects.filter(
            repository=repository, generation__gte=generation, generation__lte=target, parents__contains=sha
        )
        for child_id, child, child_generation in children.values_list("id", "sha", "generation"):
            heapq.heappush(wanted, (child_generation, child, child_id, target + 1))
    if raised:
        _decide_again(repository, raised.keys())


def _decide_again(repository: Repository, raised: Set[str]) -> None:
    """Have worked out anew what was decided by generations that turn out to be higher.

    A walk goes no further down than its answer can lie, so it may have stopped above commits that now stand there:
    on the edge of a baseline, or on the way from one commit to another that it was compared with.
    """
    tracks = Track.objects.filter(application__repository=repository)
    for track in tracks.exclude(baseline_frontier=[]):
        if any(sha in raised for _, sha in track.baseline_frontier):
            Track.objects.filter(pk=track.pk).update(rebuild_pending=True)
    Deployment.objects.filter(track__in=tracks, change_kind=ChangeKind.UNKNOWN).update(lineage_pending=True)


def _complete(repository: Repository, pairs: list[tuple[Commit, CommitReport]]) -> None:
    """Add to commits that are known already what a new report tells more of them."""
    rewired: list[Commit] = []
    detailed: list[Commit] = []
    for commit, report in pairs:
        if _learns_parents(commit, report):
            commit.parents = " ".join(report.parents or ())
            commit.parents_are_inferred = report.parents_are_inferred
            rewired.append(commit)
        if _learns_details(commit, report):
            detailed.append(commit)
    if rewired:
        _rewire(repository, rewired)
    if detailed:
        Commit.objects.bulk_update(detailed, ["authored_at", "committed_at", "author", "files"], batch_size=500)
        _count_waiting_again(repository)
        _derive_again(ShippedCommit.objects.filter(commit__in=[commit.pk for commit in detailed]))
    explained = [commit.sha for commit, report in pairs if report.message and not commit.message]
    for chunk in _chunks(explained):  # they may turn out to be reverts or hotfixes
        marks = ShippedCommit.objects.filter(commit__repository=repository, commit__sha__in=chunk)
        Deployment.objects.filter(pk__in=marks.values("deployment_id")).update(verdict_pending=True)
    for commit, report in pairs:
        if report.message and not commit.message:
            number = pull_request_number(report.message)
            Commit.objects.filter(pk=commit.pk).update(message=report.message, pull_request_number=number)


def _learns_parents(commit: Commit, report: CommitReport) -> bool:
    if report.parents is None:
        return False
    if commit.parents is None:
        return True
    if not commit.parents_are_inferred or not report.parents_are_inferred:
        return commit.parents_are_inferred
    # Of two guesses the better one counts, whichever was told first.
    return report.parents_are_first_hand and commit.parents != " ".join(report.parents)


def _learns_details(commit: Commit, report: CommitReport) -> bool:
    learnt = False
    if commit.authored_at is None and report.authored_at is not None:
        commit.authored_at = report.authored_at
        learnt = True
    if commit.committed_at is None and report.committed_at is not None:
        commit.committed_at = report.committed_at
        learnt = True
    if not commit.author and report.author:
        commit.author = report.author
        learnt = True
    if commit.files is None and report.files is not None:
        commit.files = "\n".join(report.files)
        learnt = True
    return learnt


def _rewire(repository: Repository, commits: list[Commit]) -> None:
    """Give commits their parents, or better ones. What was worked out through them is worked out anew."""
    Commit.objects.bulk_update(commits, ["parents", "parents_are_inferred"], batch_size=500)
    _count_waiting_again(repository)
    parents = {commit.sha: (commit.parents or "").split() for commit in commits}
    named = {parent for names in parents.values() for parent in names}
    generations = _generations(repository, named)
    MissingParent.objects.filter(child__in=[commit.pk for commit in commits]).delete()
    _note_missing_parents(
        repository,
        [CommitReport(sha, parents=tuple(names)) for sha, names in parents.items()],
        named - generations.keys(),
    )
    _compare_again(repository, named - generations.keys())
    wanted = []
    for commit in commits:
        above = [generations[parent] for parent in parents[commit.sha] if parent in generations]
        wanted.append((commit.generation, commit.sha, commit.pk, generation_of(None, above)))
    _raise(repository, wanted)
    marked = ShippedCommit.objects.filter(commit__in=[commit.pk for commit in commits])
    Track.objects.filter(pk__in=marked.values("track_id")).update(rebuild_pending=True)
    _revisit(repository, list(parents))


def _revisit(repository: Repository, shas: list[str]) -> None:
    """Mark the deployments whose history led to these commits while they were missing."""
    if not HistoryGap.objects.filter(repository=repository).exists():
        return
    for chunk in _chunks(shas):
        gaps = HistoryGap.objects.filter(repository=repository, sha__in=chunk)
        _derive_again(gaps)


def _mark_pull_requests(repository: Repository, reports: Iterable[CommitReport]) -> None:
    """Mark the pull requests to which these commits belong, or may turn out to belong."""
    known = PullRequest.objects.filter(repository=repository)
    if not known.exists():
        return
    numbers: dict[str, int | None] = {report.sha: pull_request_number(report.message) for report in reports}
    for chunk in _chunks(numbers):
        named = {number for sha in chunk if (number := numbers[sha]) is not None}
        # Each part has an index of its own; one condition with OR reads all of the repository.
        concerned = (
            known.filter(head_sha__in=chunk)
            .values_list("pk")
            .union(
                known.filter(merge_commit_sha__in=chunk).exclude(merge_commit_sha="").values_list("pk"),
                known.filter(number__in=named).values_list("pk"),
                PullRequestCommit.objects.filter(repository=repository, sha__in=chunk).values_list("pull_request"),
            )
        )
        if ids := [pk for (pk,) in concerned]:
            known.filter(pk__in=ids).update(changes_pending=True)


def _compare_again(repository: Repository, missing: set[str]) -> None:
    """Mark the deployments that missing commits keep from being compared: more is known of what leads to these."""
    for chunk in _chunks(missing):
        gaps = HistoryGap.objects.filter(repository=repository, sha__in=chunk, concerns_kind_only=True)
        Deployment.objects.filter(pk__in=gaps.values("deployment_id")).update(lineage_pending=True)


def _derive_again(rows: "QuerySet[HistoryGap] | QuerySet[ShippedCommit]") -> None:
    """Mark the deployments of these gaps or marks; a baseline concerns the whole of its track."""
    deployments = Deployment.objects.filter(pk__in=rows.values_list("deployment_id", flat=True))
    baselines = deployments.filter(change_kind=ChangeKind.BASELINE)
    Track.objects.filter(pk__in=baselines.values("track_id")).update(rebuild_pending=True)
    deployments.update(lineage_pending=True)
