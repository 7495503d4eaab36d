"""Attributes commits to the deployments of a track: the walks of `lineage` over what the database knows."""

from collections.abc import Callable

from deployments.graph import TrackGraph, position_of
from deployments.lineage import Frontier, NewCommits, new_commits, relation
from deployments.models import ChangeKind, Deployment, HistoryGap, ShippedCommit, Track
from deployments.models.deployments import DeploymentQuerySet


class Attribution:
    """Works out, in memory, which commits deployments of one track brought, and what that changes for others."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.graph = TrackGraph(track, track.application.repository_id)
        self.frontier: Frontier = [(generation, sha) for generation, sha in track.baseline_frontier]
        self.brought: dict[str, Deployment] = {}  # commit → who brings it now
        self.baseline_commits: set[str] = set()
        self.freed: set[int] = set()  # ids of commits whose marks are to be replaced
        self.orphaned: set[str] = set()  # commits that lost the deployment which brought them
        self.robbed: set[int] = set()  # ids of deployments that lost commits to an earlier one
        self.worked_out: list[int] = []  # ids of deployments
        self.touched: dict[int, Deployment] = {}
        self.gaps: dict[int, set[str]] = {}
        self.kind_gaps: dict[int, set[str]] = {}
        self.unknown_below: dict[int, set[str]] = {}  # no gaps, as they were deployed before

    def work_out(self, pending: list[Deployment]) -> None:
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
        self.worked_out = [deployment.pk for deployment in pending]

    def _reached(self) -> DeploymentQuerySet:
        return Deployment.objects.reached().filter(track=self.track)

    def touch(self, deployment: Deployment) -> Deployment:
        """Return the one instance of a deployment that is worked on and stored in the end."""
        return self.touched.setdefault(deployment.pk, deployment)

    def gaps_of(self, deployment: Deployment) -> set[str]:
        """Return the unknown commits that the deployment's changes lead to, to be added to or taken from."""
        if deployment.pk not in self.gaps:
            known = HistoryGap.objects.filter(deployment=deployment, concerns_kind_only=False)
            self.gaps[deployment.pk] = set(known.values_list("sha", flat=True))
        return self.gaps[deployment.pk]

    def _take_back(self, deployment: Deployment) -> None:
        """Forget what the deployment brought: it is worked out anew, or it counts no more."""
        self.touch(deployment)
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
        baseline = self.touch(first)
        for sha in found.baseline:
            self._bring(sha, baseline)
        self.baseline_commits.update(found.baseline)
        self.gaps_of(baseline).update(found.baseline_missing)

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
            deployment = self.touch(later)
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
                above.update((later.pk, self.touch(later)) for later in leading)
        for later in above.values():
            self._attribute(later)
        return list(above.values())

    def _to_classify(self, pending: list[Deployment], revisited: list[Deployment]) -> list[Deployment]:
        """Return the deployments whose predecessor is new or other than it was, in the order of the track."""
        concerned = {deployment.pk: deployment for deployment in [*pending, *revisited] if deployment.counts}
        for deployment in pending:
            successor = self._reached().after(deployment).in_track_order().first()
            if successor is not None:
                concerned[successor.pk] = self.touch(successor)
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
