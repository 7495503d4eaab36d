"""Works out which changes each deployment brought, by the rules of lineage (docs/architecture.md).

Deployments that have to be worked out are marked `lineage_pending`, tracks of which everything has to be
`rebuild_pending`. Deriving clears the marks in the transaction that stores the result, so that it can be
repeated, interrupted and taken up again by whoever comes next.
"""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet

from deployments.attribution import Attribution
from deployments.bulk import insert_rows, update_rows
from deployments.grouping import (
    NewChange,
    count_changes,
    insert_changes,
    linked_commits,
    outcome_of,
    path_of,
    regroup,
)
from deployments.models import (
    Change,
    ChangeKind,
    Commit,
    Deployment,
    HistoryGap,
    MissingParent,
    PullRequest,
    Repository,
    ShippedCommit,
    Track,
)
from deployments.unjudged import mark_unjudged

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
        # Commits that arrive meanwhile would neither be found by these walks nor find the gaps that these leave.
        list(Repository.objects.select_for_update(of=("self",)).filter(applications__tracks=track_id))
        track = (
            Track.objects.select_for_update(of=("self",))
            .select_related("application__repository", "application__workspace")
            .get(pk=track_id)
        )
        if track.rebuild_pending or _begins_anew(track):
            _forget(track)
        waiting = Deployment.objects.filter(track=track, lineage_pending=True).in_track_order()
        pending = list(waiting.select_for_update()[:limit])  # whoever changes one now has it worked out again
        if pending:
            found = Attribution(track)
            found.work_out(pending)
            _Storage(found).store()
            # What waits is what the track does not have.
            Track.objects.filter(pk=track.pk).update(waiting_pending=True)
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
    deployments.update(change_kind="", changes_count=0, history_is_complete=True, verdict_pending=True)
    deployments.filter(reached_environment=True, archived_at=None).update(lineage_pending=True)
    track.baseline_frontier = []
    track.rebuild_pending = False
    track.waiting_pending = True
    track.save(update_fields=["baseline_frontier", "rebuild_pending", "waiting_pending"])


class _Storage:
    """Stores what an attribution found out."""

    def __init__(self, found: Attribution) -> None:
        self.track = found.track
        self.found = found
        self.regrouped: set[int] = set()  # ids of deployments

    def store(self) -> None:
        """Replace the marks, changes and gaps that are others now."""
        self._replace_marks()
        self._forget_gaps_of_the_robbed()
        self._store_gaps()
        self._store_deployments()
        self._store_frontier()
        mark_unjudged(self.track.pk, self._changed())

    def _replace_marks(self) -> None:
        freed = sorted(self.found.freed)
        for start in range(0, len(freed), _CHUNK):
            ids = freed[start : start + _CHUNK]
            ShippedCommit.objects.filter(track=self.track, commit_id__in=ids).delete()
            Change.objects.filter(deployment__track=self.track, commit_id__in=ids).delete()
        baseline = self.found.baseline_commits
        files = self._files(sha for sha in self.found.brought if sha not in baseline)
        outcomes = {
            sha: Outcome.BASELINE if sha in baseline else self._outcome(sha, deployment, files)
            for sha, deployment in self.found.brought.items()
        }
        insert_rows(
            ShippedCommit,
            ("track", "commit", "deployment", "outcome"),
            (
                (self.track.pk, self.found.graph.facts(sha).id, self.found.brought[sha].pk, outcome.value)
                for sha, outcome in outcomes.items()
            ),
        )
        linked = linked_commits(self.track.application.repository_id, self._concerned(freed, outcomes))
        insert_changes(
            NewChange(
                self.found.brought[sha],
                self.found.graph.facts(sha).id,
                self.found.graph.facts(sha).started_at,
                files_are_unknown=bool(path_of(self.track, self.found.brought[sha])) and files.get(sha) is None,
            )
            for sha, outcome in outcomes.items()
            if outcome == Outcome.CHANGE and sha not in linked
        )
        if linked:
            self.regrouped = regroup(self.track, linked)

    def _concerned(self, freed: list[int], brought: Iterable[str]) -> set[str]:
        """Return the commits that have other marks than before, where they may be of pull requests."""
        if not PullRequest.objects.filter(repository=self.track.application.repository_id).exists():
            return set()
        shas = set(brought)
        for start in range(0, len(freed), _CHUNK):
            ids = freed[start : start + _CHUNK]
            shas.update(Commit.objects.filter(id__in=ids).values_list("sha", flat=True))
        return shas

    def _files(self, shas: Iterable[str]) -> dict[str, str | None]:
        """Return the paths of each commit where a monorepo path makes them matter."""
        ids = sorted(self.found.graph.facts(sha).id for sha in shas if path_of(self.track, self.found.brought[sha]))
        files: dict[str, str | None] = {}
        for start in range(0, len(ids), _CHUNK):
            rows = Commit.objects.filter(id__in=ids[start : start + _CHUNK])
            files.update(rows.values_list("sha", "files"))
        return files

    def _outcome(self, sha: str, deployment: Deployment, files: dict[str, str | None]) -> Outcome:
        is_merge = self.found.graph.facts(sha).is_merge
        return outcome_of(self.track, deployment, is_merge=is_merge, files=files.get(sha))

    def _forget_gaps_of_the_robbed(self) -> None:
        """Leave to deployments that lost commits the gaps that the rest of their commits have."""
        if not self.found.robbed:
            return
        supported = set(
            MissingParent.objects.filter(child__shipped_commits__deployment__in=self.found.robbed).values_list(
                "child__shipped_commits__deployment_id", "sha"
            )
        )
        for deployment in Deployment.objects.filter(pk__in=self.found.robbed):
            gaps = self.found.gaps_of(self.found.touch(deployment))
            if self.found.graph.node(deployment.commit_sha) is not None:
                gaps &= {sha for deployment_id, sha in supported if deployment_id == deployment.pk}

    def _store_gaps(self) -> None:
        for gaps, concerns_kind_only in ((self.found.gaps, False), (self.found.kind_gaps, True)):
            HistoryGap.objects.filter(deployment__in=gaps, concerns_kind_only=concerns_kind_only).delete()
            HistoryGap.objects.bulk_create(
                HistoryGap(
                    repository_id=self.track.application.repository_id,
                    deployment_id=deployment_id,
                    sha=sha,
                    concerns_kind_only=concerns_kind_only,
                )
                for deployment_id, shas in gaps.items()
                for sha in sorted(shas)
            )
        for deployment_id, shas in self.found.gaps.items():
            self.found.touched[deployment_id].history_is_complete = not shas

    def _store_deployments(self) -> None:
        others = Deployment.objects.filter(pk__in=self.regrouped - self.found.touched.keys())
        count_changes([*self.found.touched.values(), *others])
        update_rows(self.found.touched.values(), ["change_kind", "history_is_complete"])
        Deployment.objects.filter(pk__in=self.found.worked_out).update(lineage_pending=False)

    def _changed(self) -> set[int]:
        """Return the ids of the deployments that are others now than they were."""
        touched = {
            pk
            for pk, deployment in self.found.touched.items()
            # What is found out of the baseline's history only bears on no verdict, and everything stands after it.
            if deployment.change_kind != ChangeKind.BASELINE
        }
        return touched | self.regrouped | set(self.found.worked_out)

    def _store_frontier(self) -> None:
        frontier = [[generation, sha] for generation, sha in self.found.frontier]
        if frontier != self.track.baseline_frontier:
            self.track.baseline_frontier = frontier
            self.track.save(update_fields=["baseline_frontier"])
