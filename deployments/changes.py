"""Works out which changes each deployment brought, by the rules of lineage (docs/architecture.md).

Deployments that have to be worked out are marked `lineage_pending`, tracks of which everything has to be
`rebuild_pending`. Deriving clears the marks in the transaction that stores the result, so that it can be
repeated, interrupted and taken up again by whoever comes next.
"""

from collections.abc import Callable, Iterable

from django.db import transaction
from django.db.models import Count, QuerySet

from deployments.bulk import insert_rows, update_rows
from deployments.graph import TrackGraph, position_of
from deployments.lineage import Frontier, NewCommits, new_commits, relation, touches_path
from deployments.models import (
    Change,
    ChangeKind,
    Commit,
    Deployment,
    HistoryGap,
    MissingParent,
    ShippedCommit,
    Track,
)
from deployments.models.deployments import DeploymentQuerySet

Outcome = ShippedCommit.Outcome
# Deployments worked out in one transaction: on SQLite nobody else can write meanwhile.
_BATCH = 100
_CHUNK = 10_000


def request_rebuild(tracks: QuerySet[Track]) -> int:
    """Have the changes of whole tracks worked out anew, and return how many tracks that concerns."""
    return tracks.update(rebuild_pending=True)


def tracks_with_pending_work() -> list[int]:
    """Return the ids of the tracks on which something has still to be worked out."""
    pending = Deployment.objects.filter(lineage_pending=True).values_list("track_id", flat=True).distinct()
    rebuilds = Track.objects.filter(rebuild_pending=True).values_list("id", flat=True)
    return sorted({*pending, *rebuilds})


def derive_changes(track_id: int) -> int:
    """Work out everything pending on a track, a batch in each transaction, and return how many deployments."""
    total = 0
    while done := derive_batch(track_id):
        total += done
    return total


def derive_batch(track_id: int, limit: int = _BATCH) -> int:
    """Work out the next pending deployments of a track and return how many there were."""
    with transaction.atomic():
        track = (
            Track.objects.select_for_update(of=("self",))
            .select_related("application__repository", "application__workspace")
            .get(pk=track_id)
        )
        if track.rebuild_pending or _begins_anew(track):
            _forget(track)
        pending = list(Deployment.objects.filter(track=track, lineage_pending=True).in_track_order()[:limit])
        if pending:
            _Derivation(track).derive(pending)
        return len(pending)


def _begins_anew(track: Track) -> bool:
    """Tell whether the first deployment of the track is another than before, or has to be worked out again.

    All later ones stand on what was found of it.
    """
    first = Deployment.objects.reached().filter(track=track).in_track_order().first()
    if first is None:
        return ShippedCommit.objects.filter(track=track).exists()
    return first.change_kind != ChangeKind.BASELINE or first.lineage_pending


def _forget(track: Track) -> None:
    """Take back all that was worked out on a track, and mark it to be worked out anew."""
    ShippedCommit.objects.filter(track=track).delete()
    Change.objects.filter(deployment__track=track).delete()
    HistoryGap.objects.filter(deployment__track=track).delete()
    deployments = Deployment.objects.filter(track=track)
    deployments.update(change_kind="", changes_count=0, history_is_complete=True)
    deployments.filter(reached_environment=True, archived_at=None).update(lineage_pending=True)
    track.baseline_frontier = []
    track.rebuild_pending = False
    track.save(update_fields=["baseline_frontier", "rebuild_pending"])


class _Derivation:
    """Works out deployments of one track, in memory first, and then stores what changed."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.repository = track.application.repository
        self.graph = TrackGraph(track, self.repository.pk)
        self.frontier: Frontier = [(generation, sha) for generation, sha in track.baseline_frontier]
        self.brought: dict[str, Deployment] = {}  # commit → who brings it now
        self.baseline_commits: set[str] = set()
        self.freed: set[int] = set()  # ids of commits whose marks are to be replaced
        self.orphaned: set[str] = set()  # commits that lost the deployment which brought them
        self.robbed: set[int] = set()  # ids of deployments that lost commits to an earlier one
        self.touched: dict[int, Deployment] = {}
        self.gaps: dict[int, set[str]] = {}
        self.kind_gaps: dict[int, set[str]] = {}
        self.unknown_below: dict[int, set[str]] = {}  # no gaps, as they were deployed before

    def derive(self, pending: list[Deployment]) -> None:
        """Work out the deployments, given in the order of the track."""
        self.graph.prepare([deployment.commit_sha for deployment in pending])
        for deployment in pending:
            self._take_back(deployment)
        for deployment in pending:
            if deployment.counts:
                self._attribute(deployment)
        revisited = [*self._hand_down(pending), *self._attribute_above_unknown(pending)]
        for deployment in self._to_classify(pending, revisited):
            self._classify(deployment)
        for deployment in pending:
            deployment.lineage_pending = False
        self._replace_marks()
        self._forget_gaps_of_the_robbed()
        self._store_gaps()
        self._store_deployments()
        self._store_frontier()

    def _reached(self) -> DeploymentQuerySet:
        return Deployment.objects.reached().filter(track=self.track)

    def _touch(self, deployment: Deployment) -> Deployment:
        """Return the one instance of a deployment that is worked on and stored in the end."""
        return self.touched.setdefault(deployment.pk, deployment)

    def _gaps_of(self, deployment: Deployment) -> set[str]:
        if deployment.pk not in self.gaps:
            known = HistoryGap.objects.filter(deployment=deployment, concerns_kind_only=False)
            self.gaps[deployment.pk] = set(known.values_list("sha", flat=True))
        return self.gaps[deployment.pk]

    def _take_back(self, deployment: Deployment) -> None:
        """Forget what the deployment brought: it is worked out anew, or it counts no more."""
        self._touch(deployment)
        self.gaps[deployment.pk] = set()
        self.kind_gaps[deployment.pk] = set()
        deployment.change_kind = ""
        marks = ShippedCommit.objects.filter(deployment=deployment).order_by("-commit__generation")
        for commit_id, sha in marks.values_list("commit_id", "commit__sha"):
            self.freed.add(commit_id)
            self.graph.node(sha)
            self.graph.set_owner(sha, None)
            if not deployment.counts:
                self.orphaned.add(sha)

    def _attribute(self, deployment: Deployment) -> None:
        """Give the deployment the commits that it brought, also those that a later one was thought to bring."""
        if not self._reached().before(deployment).exists():
            self._start_baseline(deployment)
            return
        position = position_of(deployment)
        self.graph.begin_walk()
        found = new_commits(deployment.commit_sha, self.graph, self._deployed_before(deployment), self.frontier)
        self.frontier = found.frontier
        self._mark_baseline(found)
        self.gaps[deployment.pk] = found.missing
        self.unknown_below[deployment.pk] = {sha for sha in found.boundary if self.graph.node(sha) is None}
        for sha in found.commits:
            owner = self.graph.owner(sha)
            if owner is not None and owner != position:
                self.robbed.add(owner[1])
            self._bring(sha, deployment)

    def _bring(self, sha: str, deployment: Deployment) -> None:
        if self.graph.owner(sha) is not None:
            self.freed.add(self.graph.facts(sha).id)
        self.graph.set_owner(sha, position_of(deployment))
        self.brought[sha] = deployment

    def _deployed_before(self, deployment: Deployment) -> Callable[[str], bool]:
        position = position_of(deployment)

        def is_deployed(sha: str) -> bool:
            owner = self.graph.owner(sha)
            if owner is not None:
                return owner < position
            if self.graph.node(sha) is not None:
                return False
            # An unknown commit is not marked, but it may be what an earlier deployment deployed.
            return self._reached().before(deployment).filter(commit_sha=sha).exists()

        return is_deployed

    def _start_baseline(self, deployment: Deployment) -> None:
        """Note what was there: the commit itself, and its parents as the way down to the rest."""
        node = self.graph.node(deployment.commit_sha)
        if node is None:
            self.gaps[deployment.pk] = {deployment.commit_sha}
            self.frontier = []
            return
        self._bring(node.sha, deployment)
        self.baseline_commits.add(node.sha)
        parents = {parent: self.graph.node(parent) for parent in node.parents or ()}
        self.frontier = sorted((found.generation, sha) for sha, found in parents.items() if found)
        self.gaps[deployment.pk] = {sha for sha, found in parents.items() if not found}
        if node.parents is None:
            self.gaps[deployment.pk].add(node.sha)

    def _mark_baseline(self, found: NewCommits) -> None:
        if not found.baseline and not found.baseline_missing:
            return
        first = self._reached().in_track_order().first()
        assert first is not None, "a frontier without a baseline"
        baseline = self._touch(first)
        for sha in found.baseline:
            self._bring(sha, baseline)
        self.baseline_commits.update(found.baseline)
        self._gaps_of(baseline).update(found.baseline_missing)

    def _hand_down(self, pending: list[Deployment]) -> list[Deployment]:
        """Give commits that lost their deployment to the next one that has them; return who was asked."""
        asked: list[Deployment] = []
        if not self.orphaned:
            return asked
        first = next(deployment for deployment in pending if not deployment.counts)
        left = self._not_brought_until(first, self.orphaned)
        for later in self._reached().after(first).in_track_order().iterator(chunk_size=50):
            if not left:
                break
            deployment = self._touch(later)
            self._attribute(deployment)
            asked.append(deployment)
            left = self._not_brought_until(deployment, left)
        return asked

    def _not_brought_until(self, deployment: Deployment, shas: set[str]) -> set[str]:
        """Return the commits that neither this deployment brought nor one before it."""
        end = position_of(deployment)
        return {sha for sha in shas if (owner := self.graph.owner(sha)) is None or owner > end}

    def _attribute_above_unknown(self, pending: list[Deployment]) -> list[Deployment]:
        """Work out anew what leads to unknown commits that were deployed by themselves, or turn out not to have been.

        To a later deployment such a commit is what was there before, and otherwise a gap.
        """
        above: dict[int, Deployment] = {}
        for deployment in pending:
            if self.graph.node(deployment.commit_sha) is None:
                leading = self._reached().after(deployment).filter(history_gaps__sha=deployment.commit_sha)
                above.update((later.pk, self._touch(later)) for later in leading)
        for later in above.values():
            self._attribute(later)
        return list(above.values())

    def _to_classify(self, pending: list[Deployment], revisited: list[Deployment]) -> list[Deployment]:
        """Return the deployments whose predecessor is new or other than it was, in the order of the track."""
        concerned = {deployment.pk: deployment for deployment in [*pending, *revisited] if deployment.counts}
        for deployment in pending:
            successor = self._reached().after(deployment).in_track_order().first()
            if successor is not None:
                concerned[successor.pk] = self._touch(successor)
        return sorted(concerned.values(), key=position_of)

    def _classify(self, deployment: Deployment) -> None:
        """Say how the deployment relates to the one before it."""
        previous = self._reached().before(deployment).newest_first().first()
        if previous is None:
            deployment.change_kind = ChangeKind.BASELINE
            return
        self.graph.begin_walk()
        kind, missing = relation(
            deployment.commit_sha, previous.commit_sha, self.graph, is_complete=self.graph.is_complete
        )
        deployment.change_kind = ChangeKind(kind.value)
        if deployment.pk not in self.unknown_below:  # only its predecessor is another
            known = HistoryGap.objects.filter(deployment=deployment, concerns_kind_only=True)
            self.unknown_below[deployment.pk] = set(known.values_list("sha", flat=True))
        self.kind_gaps[deployment.pk] = missing | self.unknown_below[deployment.pk]

    def _replace_marks(self) -> None:
        freed = sorted(self.freed)
        for start in range(0, len(freed), _CHUNK):
            ids = freed[start : start + _CHUNK]
            ShippedCommit.objects.filter(track=self.track, commit_id__in=ids).delete()
            Change.objects.filter(deployment__track=self.track, commit_id__in=ids).delete()
        baseline = self.baseline_commits
        files = self._files(sha for sha in self.brought if sha not in baseline)
        outcomes = {
            sha: Outcome.BASELINE if sha in baseline else self._outcome(sha, deployment, files)
            for sha, deployment in self.brought.items()
        }
        insert_rows(
            ShippedCommit,
            ("track", "commit", "deployment", "outcome"),
            (
                (self.track.pk, self.graph.facts(sha).id, self.brought[sha].pk, outcome.value)
                for sha, outcome in outcomes.items()
            ),
        )
        insert_rows(
            Change,
            (
                "deployment",
                "commit",
                "started_at",
                "lead_time_seconds",
                "clock_was_ahead",
                "files_are_unknown",
            ),
            (
                self._change(sha, self.brought[sha], files)
                for sha, outcome in outcomes.items()
                if outcome == Outcome.CHANGE
            ),
        )

    def _path(self, deployment: Deployment) -> str:
        application = self.track.application
        if application.monorepo_path_is_pinned or deployment.monorepo_path is None:
            return application.monorepo_path
        return deployment.monorepo_path

    def _files(self, shas: Iterable[str]) -> dict[str, str | None]:
        """Return the paths of each commit where a monorepo path makes them matter."""
        ids = sorted(self.graph.facts(sha).id for sha in shas if self._path(self.brought[sha]))
        files: dict[str, str | None] = {}
        for start in range(0, len(ids), _CHUNK):
            rows = Commit.objects.filter(id__in=ids[start : start + _CHUNK])
            files.update(rows.values_list("sha", "files"))
        return files

    def _outcome(self, sha: str, deployment: Deployment, files: dict[str, str | None]) -> Outcome:
        if self.graph.facts(sha).is_merge and not self.track.application.workspace.include_merge_commits:
            return Outcome.MERGE
        path, touched = self._path(deployment), files.get(sha)
        if path and touched is not None and not touches_path(touched.split("\n"), path):
            return Outcome.OUTSIDE_PATH
        return Outcome.CHANGE

    def _change(self, sha: str, deployment: Deployment, files: dict[str, str | None]) -> tuple[object, ...]:
        facts = self.graph.facts(sha)
        seconds = None
        if facts.authored_at is not None:
            seconds = int((deployment.deployed_at - facts.authored_at).total_seconds())
        return (
            deployment.pk,
            facts.id,
            facts.authored_at,
            None if seconds is None else max(0, seconds),
            seconds is not None and seconds < 0,
            bool(self._path(deployment)) and files.get(sha) is None,
        )

    def _forget_gaps_of_the_robbed(self) -> None:
        """Leave to deployments that lost commits the gaps that the rest of their commits have."""
        if not self.robbed:
            return
        supported = set(
            MissingParent.objects.filter(child__shipped_commits__deployment__in=self.robbed).values_list(
                "child__shipped_commits__deployment_id", "sha"
            )
        )
        for deployment in Deployment.objects.filter(pk__in=self.robbed):
            gaps = self._gaps_of(self._touch(deployment))
            if self.graph.node(deployment.commit_sha) is not None:
                gaps &= {sha for deployment_id, sha in supported if deployment_id == deployment.pk}

    def _store_gaps(self) -> None:
        for gaps, concerns_kind_only in ((self.gaps, False), (self.kind_gaps, True)):
            HistoryGap.objects.filter(deployment__in=gaps, concerns_kind_only=concerns_kind_only).delete()
            HistoryGap.objects.bulk_create(
                HistoryGap(
                    repository=self.repository,
                    deployment_id=deployment_id,
                    sha=sha,
                    concerns_kind_only=concerns_kind_only,
                )
                for deployment_id, shas in gaps.items()
                for sha in sorted(shas)
            )
        for deployment_id, shas in self.gaps.items():
            self.touched[deployment_id].history_is_complete = not shas

    def _store_deployments(self) -> None:
        counts = dict(
            Change.objects.filter(deployment__in=self.touched)
            .values_list("deployment")
            .annotate(number=Count("id"))
            .values_list("deployment", "number")
        )
        for deployment in self.touched.values():
            deployment.changes_count = counts.get(deployment.pk, 0)
        update_rows(self.touched.values(), ["change_kind", "changes_count", "history_is_complete", "lineage_pending"])

    def _store_frontier(self) -> None:
        frontier = [[generation, sha] for generation, sha in self.frontier]
        if frontier != self.track.baseline_frontier:
            self.track.baseline_frontier = frontier
            self.track.save(update_fields=["baseline_frontier"])
