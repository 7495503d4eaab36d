"""Stores findings, and what follows from them for each deployment: whether it failed, and whether it was rework."""

from collections.abc import Collection, Iterable

from django.db.models import QuerySet

from deployments.bulk import update_rows
from deployments.failures import REPAIRS, Deployed, Finding, Reason, verdict
from deployments.models import Deployment, FailureFinding, Overruling
from deployments.signals import tell_days_changed
from deployments.takebacks import deployed

_LONGEST_WHY = 500
_FIELDS = ["has_failed", "repaired_at", "repaired_by"]


def replace_findings(present: QuerySet[FailureFinding], found: Iterable[Finding]) -> tuple[set[int], set[int]]:
    """Store what was found in place of what stands there.

    Returns the ids of the deployments whose findings are others now, and of the repairs that brought or lost any.
    """
    wanted = {_key(finding): finding for finding in found}
    changed: set[int] = set()
    repairs: set[int] = set()
    gone, other = [], []
    for row in present.select_for_update():
        finding = wanted.pop((row.deployment_id, row.reason, row.repair_id, row.incident_id), None)
        if finding is None:
            gone.append(row.pk)
            changed.add(row.deployment_id)
            if row.repair_id is not None and row.reason in REPAIRS:
                changed.add(row.repair_id)
                repairs.add(row.repair_id)
        elif (row.why, row.repaired_at) != (finding.why[:_LONGEST_WHY], finding.repaired_at):
            row.why, row.repaired_at = finding.why[:_LONGEST_WHY], finding.repaired_at
            other.append(row)
            changed.add(row.deployment_id)
    FailureFinding.objects.filter(pk__in=gone).delete()
    update_rows(other, ["why", "repaired_at"])
    FailureFinding.objects.bulk_create(_row(finding) for finding in wanted.values())
    for finding in wanted.values():
        changed.add(finding.deployment)
        if finding.repair is not None and finding.reason in REPAIRS:
            repairs.add(finding.repair)
    return changed, repairs


def _key(finding: Finding) -> tuple[int, str, int | None, int | None]:
    return (finding.deployment, finding.reason.value, finding.repair, finding.incident)


def _row(finding: Finding) -> FailureFinding:
    return FailureFinding(
        deployment_id=finding.deployment,
        reason=finding.reason.value,
        repair_id=finding.repair,
        incident_id=finding.incident,
        why=finding.why[:_LONGEST_WHY],
        repaired_at=finding.repaired_at,
    )


def settle(ids: Collection[int]) -> None:
    """Set on deployments what follows from their findings and from what people say, and tell of their days.

    The caller holds their tracks.
    """
    rows = list(Deployment.objects.filter(pk__in=ids))
    overruled = dict(
        Overruling.objects.filter(deployment__in=ids, verdict=Overruling.Verdict.FAILURE).values_list(
            "deployment_id", "holds"
        )
    )
    findings = _findings(ids)
    following = _following([pk for pk, holds in overruled.items() if holds])
    changed = []
    for row in rows:
        found = verdict(findings.get(row.pk, ()), overruled.get(row.pk), following.get(row.pk))
        now = (found.has_failed, found.repaired_at, found.repaired_by)
        if now != (row.has_failed, row.repaired_at, row.repaired_by_id):
            row.has_failed, row.repaired_at, row.repaired_by_id = now
            changed.append(row)
    update_rows(changed, _FIELDS)
    tell_days_changed(row.place for row in changed)
    _settle_rework({*ids, *(one.repair for found in findings.values() for one in found if one.repair)})


def _following(ids: Collection[int]) -> dict[int, Deployed]:
    """Return what reached the environment next after each deployment."""
    found = {}
    for row in Deployment.objects.filter(pk__in=ids):  # somebody called each of them failed: they are few
        following = Deployment.objects.reached().after(row).in_track_order().first()
        if following is not None:
            found[row.pk] = deployed(following)
    return found


def _findings(ids: Collection[int]) -> dict[int, list[Finding]]:
    found: dict[int, list[Finding]] = {}
    for row in FailureFinding.objects.filter(deployment__in=ids):
        finding = Finding(
            row.deployment_id, Reason(row.reason), row.why, row.repaired_at, row.repair_id, row.incident_id
        )
        found.setdefault(row.deployment_id, []).append(finding)
    return found


def _settle_rework(ids: Collection[int]) -> None:
    """Set whether deployments were unplanned: repairs of failed ones are, unless somebody says otherwise."""
    overruled = dict(
        Overruling.objects.filter(deployment__in=ids, verdict=Overruling.Verdict.REWORK).values_list(
            "deployment_id", "holds"
        )
    )
    repairing = FailureFinding.objects.filter(repair__in=ids, reason__in=REPAIRS, deployment__has_failed=True)
    is_repair = set(repairing.values_list("repair_id", flat=True))
    changed = []
    for row in Deployment.objects.filter(pk__in=ids):
        is_rework = overruled.get(row.pk, row.pk in is_repair)
        if is_rework != row.is_rework:
            row.is_rework = is_rework
            changed.append(row)
    update_rows(changed, ["is_rework"])
    tell_days_changed(row.place for row in changed)
