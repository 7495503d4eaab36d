"""Says what the change fail rate would be with other rules, without storing anything."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone

from deployments.causes import find_cause
from deployments.evidence import Evidence, Repairs, judge_deployment
from deployments.failures import REPAIRS, Finding, Rules, incident_finding
from deployments.failures import verdict as verdict_of
from deployments.models import ChangeKind, Deployment, Incident, Overruling, Workspace
from deployments.takebacks import deployed
from deployments.unjudged import may_have_failed

DAYS = 90
MOST_DEPLOYMENTS = 20_000
_MOST_INCIDENTS = 2_000
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of how many deployments failed."""

    failed: int
    deployments: int

    @property
    def value(self) -> float | None:
        return self.failed / self.deployments if self.deployments else None


@dataclass(frozen=True, slots=True)
class Preview:
    """The change fail rate as it is and as it would be, over the latest days of production."""

    now: Rate
    then: Rate
    days: int
    looked_at: int
    is_cut: bool  # there were more deployments than were looked at


@dataclass(slots=True)
class _Row:
    """What the rate needs of a deployment."""

    id: int
    reached: bool
    is_redeploy: bool
    has_failed: bool
    is_rework: bool


def preview(workspace: Workspace, rules: Rules) -> Preview:
    """Find the verdicts on the latest deployments to production by other rules, and return both rates."""
    start = timezone.now() - datetime.timedelta(days=DAYS)
    rows = _latest(workspace, start)
    is_cut = len(rows) == MOST_DEPLOYMENTS
    found = list(_findings([row.id for row in rows], start, rules))
    found += _of_incidents(workspace, start, rules)
    then = _judged(rows, found)
    return Preview(_rate(workspace, rows), _rate(workspace, then), DAYS, len(rows), is_cut)


def _latest(workspace: Workspace, start: datetime.datetime) -> list[_Row]:
    """Return the latest deployments, those that may have failed without getting there included, oldest first."""
    live = Deployment.objects.live().in_production().filter(workspace=workspace, deployed_at__gte=start)
    wanted = live.filter(Q(reached_environment=True) | may_have_failed())
    rows = wanted.newest_first().values_list("id", "reached_environment", "change_kind", "has_failed", "is_rework")
    latest = [
        _Row(pk, reached, kind == ChangeKind.REDEPLOY, failed, rework)
        for pk, reached, kind, failed, rework in rows[:MOST_DEPLOYMENTS]
    ]
    return latest[::-1]


def _findings(ids: Sequence[int], start: datetime.datetime, rules: Rules) -> Iterator[Finding]:
    found: Repairs = {}
    for begin in range(0, len(ids), _CHUNK):
        judged = Q(repair__deployed_at__gte=start)
        evidence = Evidence(ids[begin : begin + _CHUNK], rules, judged, found)
        for row in evidence.rows:
            findings = judge_deployment(row, evidence, rules)
            evidence.note(findings)
            yield from findings


def _of_incidents(workspace: Workspace, start: datetime.datetime, rules: Rules) -> Iterator[Finding]:
    incidents = Incident.objects.filter(workspace=workspace, started_at__gte=start, is_withdrawn=False)
    for incident in incidents.select_related("cause")[:_MOST_INCIDENTS]:
        cause = incident.cause if incident.cause_is_pinned else find_cause(incident, rules)
        if cause is None:
            continue
        finding = incident_finding(
            incident.pk,
            incident.title,
            incident.resolved_at,
            deployed(cause),
            rules,
            is_pinned=incident.cause_is_pinned,
        )
        if finding is not None:
            yield finding


def _judged(rows: Sequence[_Row], found: Iterable[Finding]) -> list[_Row]:
    """Return the deployments as they would be judged, with what people say against it."""
    findings: dict[int, list[Finding]] = {}
    for finding in found:
        findings.setdefault(finding.deployment, []).append(finding)
    ids = [row.id for row in rows]
    overruled: dict[tuple[int, str], bool] = {}
    for begin in range(0, len(ids), _CHUNK):
        said = Overruling.objects.filter(deployment__in=ids[begin : begin + _CHUNK])
        for pk, verdict, holds in said.values_list("deployment_id", "verdict", "holds"):
            overruled[pk, verdict] = holds
    failed = {
        row.id
        for row in rows
        if verdict_of(findings.get(row.id, ()), overruled.get((row.id, Overruling.Verdict.FAILURE)), None).has_failed
    }
    repairs = {
        one.repair
        for pk in failed
        for one in findings.get(pk, ())
        if one.repair is not None and one.reason in REPAIRS
    }
    return [
        _Row(
            row.id, row.reached, row.is_redeploy, row.id in failed,
            overruled.get((row.id, Overruling.Verdict.REWORK), row.id in repairs),
        )
        for row in rows
    ]  # fmt: skip


def _rate(workspace: Workspace, rows: Iterable[_Row]) -> Rate:
    """Return the change fail rate as docs/metrics.md defines it."""
    counted = [
        row
        for row in rows
        if (row.reached and (workspace.count_redeploys or not row.is_redeploy or row.has_failed or row.is_rework))
        or (not row.reached and row.has_failed)
    ]
    return Rate(sum(row.has_failed for row in counted), len(counted))
