"""Reads what the verdicts on deployments are found from: what stands around each on its track, and what it shipped.

Everything is read for all deployments of a batch at once, whatever tracks they are on. What only few of them need,
such as what stands between a rollback and the deployment that it returned to, is read for each of those.
"""

from collections.abc import Collection, Iterable, Iterator

from django.db.models import Case, F, OuterRef, Q, Subquery, When

from deployments.failures import (
    REDEPLOY,
    REPAIRS,
    Deployed,
    Finding,
    Rules,
    Shipped,
    blamed_by,
    failed_status,
)
from deployments.graph import Position, TrackGraph
from deployments.lineage import leading_to
from deployments.models import (
    ChangeKind,
    Deployment,
    DeploymentState,
    DeploymentStatus,
    FailureFinding,
    Track,
)
from deployments.models.deployments import FAILED_STATES, DeploymentQuerySet
from deployments.shipped import read_shipped
from deployments.takebacks import deployed

_FACTS = ("id", "track_id", "deployed_at", "version", "commit_sha", "change_kind", "fixes_version")
_RELATIVES = ("previous_id", "same_commit_id", "same_version_id", "fixed_id", "following_id")
_FIRST_CHUNK, _LARGEST_CHUNK = 20, 500

_NOTHING = Shipped()
# Where the repairs of each deployment stand on its track.
Repairs = dict[int, list[Position]]


class Evidence:
    """What is known of a batch of deployments, and the answers to what the rules ask of their tracks."""

    def __init__(self, ids: Collection[int], rules: Rules, judged: Q, found: Repairs | None = None) -> None:
        """Read it.

        `judged` are the findings in the database that are being found anew, `found` what was found of them so far.
        """
        self._judged = judged
        self._found: Repairs = {} if found is None else found
        self._graphs: dict[int, TrackGraph] = {}
        self._repairs: Repairs = {}
        self.rows: list[Deployment] = list(
            Deployment.objects.filter(pk__in=ids)
            .annotate(**_relatives())
            .select_related("application")
            .order_by("deployed_at", "id")
        )
        self._by_id = {row.pk: deployed(row) for row in self.rows}
        self._relatives = {row.pk: {name: getattr(row, name) for name in _RELATIVES} for row in self.rows}
        wanted = {pk for relatives in self._relatives.values() for pk in relatives.values() if pk}
        self._read(wanted - self._by_id.keys())
        counting = [row for row in self.rows if row.counts]
        self._shipped = read_shipped(
            {row.pk: (self._by_id[row.pk], row.application.repository_id) for row in counting}, rules
        )
        self.attempts = _attempts(
            [row for row in self.rows if not row.reached_environment and row.archived_at is None]
        )

    def _read(self, ids: Collection[int]) -> None:
        self._by_id.update((row.pk, deployed(row)) for row in Deployment.objects.filter(pk__in=ids).only(*_FACTS))

    def facts(self, pk: int) -> Deployed:
        """Return a deployment of the batch."""
        return self._by_id[pk]

    def shipped_by(self, pk: int) -> Shipped:
        """Return what is of interest of what a deployment of the batch shipped."""
        return self._shipped.get(pk, _NOTHING)

    def following(self, pk: int) -> Deployed | None:
        """Return the next deployment that reached the environment after one of the batch."""
        return self._relative(pk, "following_id")

    def note(self, findings: Iterable[Finding]) -> None:
        """Keep in mind what was found: later ones depend on what is repaired already."""
        for finding in findings:
            if finding.repair is not None:
                self._found.setdefault(finding.deployment, []).append(self._by_id[finding.repair].position)

    def _relative(self, pk: int, name: str) -> Deployed | None:
        found = self._relatives[pk][name]
        return self._by_id[found] if found else None

    # What the rules ask: see failures.Line.

    def previous(self, deployment: Deployed) -> Deployed | None:
        return self._relative(deployment.id, "previous_id")

    def original(self, deployment: Deployed) -> Deployed | None:
        if deployment.kind != REDEPLOY:
            return deployment
        rows = _before(deployment).exclude(change_kind=ChangeKind.REDEPLOY)
        return _first(rows.newest_first())

    def latest_of_commit(self, deployment: Deployed) -> Deployed | None:
        return self._relative(deployment.id, "same_commit_id")

    def latest_of_version(self, deployment: Deployed) -> Deployed | None:
        latest = self._relative(deployment.id, "same_version_id")
        if latest is None:
            return None
        others = _before(deployment).filter(version=deployment.version).exclude(commit_sha=latest.commit)
        return None if others.exists() else latest

    def latest_fixed(self, deployment: Deployed) -> Deployed | None:
        return self._relative(deployment.id, "fixed_id")

    def between(self, start: Deployed, end: Deployed) -> Iterator[Deployed]:
        rows = _before(end).exclude(commit_sha=start.commit).exclude(change_kind=ChangeKind.REDEPLOY)
        last, size = start, _FIRST_CHUNK
        while chunk := [deployed(row) for row in _after(rows, last).in_track_order().only(*_FACTS)[:size]]:
            self._read_repairs(chunk)
            yield from chunk
            last, size = chunk[-1], min(4 * size, _LARGEST_CHUNK)

    def containing(self, deployment: Deployed) -> Iterator[Deployed]:
        graph = self._graph(deployment.track)
        run: list[Deployed] = []
        last, size = deployment, _FIRST_CHUNK
        while chunk := [deployed(row) for row in _before(last).newest_first().only(*_FACTS)[:size]]:
            containing = leading_to(deployment.commit, {one.commit for one in chunk}, graph)
            if not run:
                containing.add(chunk[0].commit)  # else it would be no rollback
            broken = next((index for index, one in enumerate(chunk) if one.commit not in containing), None)
            run += chunk[:broken]
            if broken is not None:
                break
            last, size = chunk[-1], min(4 * size, _LARGEST_CHUNK)
        suspects = [one for one in reversed(run) if one.kind != REDEPLOY]
        self._read_repairs(suspects)
        yield from suspects

    def is_repaired(self, blamed: Deployed, by: Deployed) -> bool:
        if blamed.id not in self._repairs:
            self._read_repairs([blamed])
        repairs = [*self._repairs[blamed.id], *self._found.get(blamed.id, ())]
        return any(position < by.position for position in repairs)

    def _read_repairs(self, deployments: Collection[Deployed]) -> None:
        self._repairs.update((one.id, []) for one in deployments)
        known = FailureFinding.objects.filter(deployment__in=[one.id for one in deployments], reason__in=REPAIRS)
        places = known.exclude(self._judged).values_list("deployment_id", "repair__deployed_at", "repair_id")
        for pk, deployed_at, repair in places:
            self._repairs[pk].append((deployed_at, repair))

    def _graph(self, track_id: int) -> TrackGraph:
        if track_id not in self._graphs:
            track = Track.objects.select_related("application").get(pk=track_id)
            self._graphs[track_id] = TrackGraph(track, track.application.repository_id)
        return self._graphs[track_id]


def judge_deployment(row: Deployment, evidence: Evidence, rules: Rules) -> list[Finding]:
    """Return what is found by one deployment: what it repaired, or that it failed itself."""
    if row.counts:
        return blamed_by(evidence.facts(row.pk), evidence.shipped_by(row.pk), rules, evidence)
    if row.pk not in evidence.attempts:
        return []
    finding = failed_status(row.pk, row.deployed_at, evidence.attempts[row.pk], evidence.following(row.pk), rules)
    return [finding] if finding else []


def _relatives() -> dict[str, Subquery | Case]:
    """Return the ids of what stands before and after each deployment, each found by an index."""
    of_track = Deployment.objects.reached().filter(track=OuterRef("track"))
    earlier = of_track.filter(
        Q(deployed_at__lt=OuterRef("deployed_at")) | Q(deployed_at=OuterRef("deployed_at"), id__lt=OuterRef("id")),
        deployed_at__lte=OuterRef("deployed_at"),
    )
    later = of_track.filter(
        Q(deployed_at__gt=OuterRef("deployed_at")) | Q(deployed_at=OuterRef("deployed_at"), id__gt=OuterRef("id")),
        deployed_at__gte=OuterRef("deployed_at"),
    )
    undecided = (ChangeKind.DIVERGED, ChangeKind.UNKNOWN)
    same_commit = _latest(earlier.filter(commit_sha=OuterRef("commit_sha")))
    same_version = _latest(earlier.filter(version=OuterRef("version")))
    return {
        "previous_id": _latest(earlier),
        "following_id": Subquery(later.in_track_order().values("id")[:1]),
        # Of most deployments nobody asks.
        "same_commit_id": Case(When(change_kind__in=(ChangeKind.ROLLBACK, *undecided), then=same_commit)),
        "same_version_id": Case(When(change_kind__in=undecided, then=same_version)),
        "fixed_id": Case(When(~Q(fixes_version=""), then=_latest(earlier.filter(version=OuterRef("fixes_version"))))),
    }


def _latest(rows: DeploymentQuerySet) -> Subquery:
    return Subquery(rows.newest_first().values("id")[:1])


def _first(rows: DeploymentQuerySet) -> Deployed | None:
    row = rows.only(*_FACTS).first()
    return deployed(row) if row else None


def _before(deployment: Deployed) -> DeploymentQuerySet:
    return Deployment.objects.reached().before(_row_at(deployment))


def _after(rows: DeploymentQuerySet, deployment: Deployed) -> DeploymentQuerySet:
    return rows.after(_row_at(deployment))


def _row_at(deployment: Deployed) -> Deployment:
    return Deployment(pk=deployment.id, track_id=deployment.track, deployed_at=deployment.deployed_at)


def _attempts(rows: Iterable[Deployment]) -> dict[int, str]:
    """Return those that ended as failure or error, and as which; `inactive` after that changes nothing."""
    ended = {row.pk: row.state for row in rows if row.state in FAILED_STATES}
    superseded = [row.pk for row in rows if row.state == DeploymentState.INACTIVE]
    if superseded:
        statuses = DeploymentStatus.objects.filter(deployment__in=superseded).exclude(state=DeploymentState.INACTIVE)
        order = ("created_at", F("external_id").asc(nulls_first=True), "id")
        last = dict(statuses.order_by(*order).values_list("deployment_id", "state"))
        ended.update((pk, state) for pk, state in last.items() if state in FAILED_STATES)
    return ended
