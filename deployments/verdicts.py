"""Finds which deployments had to be repaired and which were rework, by the rules of docs/failures.md.

Whatever bears on a verdict marks the deployment `verdict_pending`, the incident `cause_pending` or the whole track
`judging_pending`. Judging clears the marks in the transaction that stores the result, so that it can be repeated,
interrupted and taken up again.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from deployments.causes import applications_of, environments_of, find_cause, window_of
from deployments.evidence import Evidence, judge_deployment
from deployments.failures import (
    REPAIRS,
    ROLLBACK,
    Finding,
    Reason,
    Rules,
    incident_finding,
    returned_to,
)
from deployments.models import (
    Application,
    Deployment,
    FailureFinding,
    FailureRules,
    Incident,
    Overruling,
    Track,
    User,
    Workspace,
)
from deployments.settling import replace_findings, settle
from deployments.takebacks import deployed
from deployments.unjudged import may_have_failed

# Deployments judged in one transaction: on SQLite nobody else can write meanwhile.
_BATCH = 200
_MOST_SPANS = 20
MOST_COUNTED = 100_000


def rules_of(workspace_id: Any) -> FailureRules:
    """Return the rules of a workspace: those that were set, or else the usual ones."""
    return FailureRules.objects.get_or_create(workspace_id=workspace_id)[0]


def plain(rules: FailureRules) -> Rules:
    """Return rules as the plain functions take them."""
    return Rules(
        rollbacks=rules.rollbacks,
        rollback_blame=rules.rollback_blame,
        reverts=rules.reverts,
        hotfixes=rules.hotfixes,
        hotfix_branches=tuple(rules.hotfix_branches),
        hotfix_labels=tuple(rules.hotfix_labels),
        hotfix_titles=tuple(rules.hotfix_titles),
        failed_statuses=rules.failed_statuses,
        incidents=rules.incidents,
        incident_window_hours=rules.incident_window_hours,
        minimum_minutes=rules.minimum_minutes,
    )


def tracks_with_pending_verdicts() -> list[int]:
    """Return the ids of the tracks on which verdicts have still to be found."""
    pending = Deployment.objects.filter(verdict_pending=True)
    whole = Track.objects.filter(judging_pending=True)
    return sorted({*pending.values_list("track_id", flat=True).distinct(), *whole.values_list("pk", flat=True)})


def request_judging(workspace: Workspace) -> None:
    """Have all verdicts of a workspace found anew, and the causes of its incidents: its rules have changed.

    The caller rings the bell after the commit.
    """
    Track.objects.filter(application__workspace=workspace).update(judging_pending=True)
    Incident.objects.filter(workspace=workspace).update(cause_pending=True)


def pending_verdicts(workspace: Workspace) -> int:
    """Return how many deployments have still to be judged; of very many only that they are so many."""
    tracks = Track.objects.filter(application__workspace=workspace)
    # Two counts, each by an index; one with OR reads everything.
    waiting = Deployment.objects.filter(track__in=tracks, verdict_pending=True)
    of_marked = Deployment.objects.filter(track__in=tracks.filter(judging_pending=True), verdict_pending=False)
    return min(MOST_COUNTED, waiting[:MOST_COUNTED].count() + of_marked[:MOST_COUNTED].count())


def judge_track(track_id: int) -> int:
    """Find all pending verdicts of a track, a batch in each transaction, and return how many deployments."""
    total = 0
    while done := judge_batch(track_id):
        total += done
    return total


def judge_batch(track_id: int, limit: int = _BATCH) -> int:
    """Find the next pending verdicts of a track, in its order, and return how many there were."""
    waiting = Deployment.objects.filter(track=track_id, verdict_pending=True)
    if not waiting.exists() and not Track.objects.filter(pk=track_id, judging_pending=True).exists():
        return 0
    with transaction.atomic():
        track = Track.objects.select_for_update(of=("self",)).select_related("application").get(pk=track_id)
        if track.judging_pending:
            _mark_all(track)
        # Whoever changes one of them now has it judged again.
        pending = list(waiting.in_track_order().select_for_update().values_list("pk", flat=True)[:limit])
        if pending:
            _judge(track, pending)
        return len(pending)


def _mark_all(track: Track) -> None:
    """Have all verdicts of a track found anew."""
    of_track = Deployment.objects.filter(track=track, verdict_pending=False)
    of_track.filter(Q(reached_environment=True) | may_have_failed()).update(verdict_pending=True)
    Track.objects.filter(pk=track.pk).update(judging_pending=False)


def _judge(track: Track, pending: Sequence[int]) -> None:
    rules = plain(rules_of(track.application.workspace_id))
    evidence = Evidence(pending, rules, judged=Q(repair__in=pending))
    refer_back: dict[bool, list[int]] = {True: [], False: []}
    found: list[Finding] = []
    for row in evidence.rows:
        findings = judge_deployment(row, evidence, rules)
        evidence.note(findings)
        found += findings
        refer_back[_refers_back(row, evidence, rules)].append(row.pk)
    for refers, ids in refer_back.items():
        Deployment.objects.filter(pk__in=ids).exclude(refers_back=refers).update(refers_back=refers)
    present = FailureFinding.objects.filter(
        Q(repair__in=pending, reason__in=REPAIRS) | Q(deployment__in=pending, reason=Reason.FAILED_STATUS)
    )
    changed, repairs = replace_findings(present, found)
    if repairs:
        _judge_later_again(evidence, repairs)
    settle({*pending, *changed})
    Deployment.objects.filter(pk__in=pending).update(verdict_pending=False)
    _mark_incidents(track.application, rules, evidence.rows)


def _refers_back(row: Deployment, evidence: Evidence, rules: Rules) -> bool:
    """Tell whether what stands before a deployment may bear on what it repaired."""
    if not row.counts:
        return False
    shipped, facts = evidence.shipped_by(row.pk), evidence.facts(row.pk)
    names = bool(shipped.hotfix or shipped.has_reverts or row.fixes_version)
    return names or row.change_kind == ROLLBACK or returned_to(facts, evidence) is not None


def _judge_later_again(evidence: Evidence, repairs: Collection[int]) -> None:
    """Have those judged again that blamed the first that nobody had repaired: others have been repaired now."""
    first = min((evidence.facts(pk) for pk in repairs), key=lambda one: one.position)
    later = Deployment.objects.filter(track=first.track, deployed_at__gte=first.deployed_at, refers_back=True)
    later.exclude(pk__in=[row.pk for row in evidence.rows]).update(verdict_pending=True)


def _mark_incidents(application: Application, rules: Rules, rows: Sequence[Deployment]) -> None:
    """Have the causes found anew of incidents that these deployments may have caused, or were thought to have."""
    window = window_of(application, rules)
    near = Q()
    for start, end in _spans([row.deployed_at for row in rows], window):
        near |= Q(started_at__gte=start, started_at__lte=end)
    of_application = Q(application=application) | Q(application=None, repository=application.repository_id)
    incidents = Incident.objects.filter(workspace=application.workspace_id, cause_pending=False)
    incidents.filter(near, of_application, cause_is_pinned=False).update(cause_pending=True)
    incidents.filter(cause__in=[row.pk for row in rows]).update(cause_pending=True)


def _spans(
    moments: Iterable[datetime.datetime], window: datetime.timedelta
) -> list[tuple[datetime.datetime, datetime.datetime]]:
    """Return the spans of time within a window after any of the moments; of very many, one from first to last."""
    spans: list[tuple[datetime.datetime, datetime.datetime]] = []
    for moment in sorted(moments):
        if spans and moment <= spans[-1][1]:
            spans[-1] = (spans[-1][0], moment + window)
        else:
            spans.append((moment, moment + window))
    return spans if len(spans) <= _MOST_SPANS else [(spans[0][0], spans[-1][1])]


def workspaces_with_pending_incidents() -> list[Any]:
    """Return the ids of the workspaces in which causes of incidents have still to be found."""
    return list(
        Incident.objects.filter(cause_pending=True).order_by().values_list("workspace_id", flat=True).distinct()
    )


def judge_incidents(workspace_id: Any) -> int:
    """Find the causes of all pending incidents of a workspace, and what follows; return how many there were."""
    pending = Incident.objects.filter(workspace=workspace_id, cause_pending=True)
    ids = list(pending.order_by("pk").values_list("pk", flat=True))
    rules = plain(rules_of(workspace_id)) if ids else Rules()
    for pk in ids:
        _judge_incident(pk, rules)
    return len(ids)


def judge_incident(incident: Incident) -> None:
    """Find the cause of one incident, and what follows."""
    _judge_incident(incident.pk, plain(rules_of(incident.workspace_id)))


@transaction.atomic
def _judge_incident(pk: int, rules: Rules) -> None:
    known = Incident.objects.filter(pk=pk).first()
    if known is None:
        return
    # Tracks before incidents, as whoever judges a track takes them.
    list(Track.objects.select_for_update(of=("self",)).filter(pk__in=_tracks_of(known)).order_by("pk"))
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=pk)
    if not incident.cause_is_pinned:
        incident.cause = None if incident.is_withdrawn else find_cause(incident, rules)
    finding = _finding_of(incident, rules)
    present = FailureFinding.objects.filter(incident=incident)
    changed, _ = replace_findings(present, [finding] if finding else [])
    if changed:
        settle(changed)
    incident.cause_pending = False
    incident.save(update_fields=["cause", "cause_pending"])


def _tracks_of(incident: Incident) -> set[int]:
    """Return the tracks on which a verdict may change."""
    possible = Track.objects.filter(
        application__in=applications_of(incident), environment__in=environments_of(incident)
    )
    concerned = Deployment.objects.filter(Q(pk=incident.cause_id) | Q(findings__incident=incident))
    return {*possible.values_list("pk", flat=True), *concerned.values_list("track_id", flat=True)}


def _finding_of(incident: Incident, rules: Rules) -> Finding | None:
    if incident.cause is None or incident.is_withdrawn:
        return None
    return incident_finding(
        incident.pk,
        incident.title,
        incident.resolved_at,
        deployed(incident.cause),
        rules,
        is_pinned=incident.cause_is_pinned,
    )


def in_words(deployments: Mapping[int, Deployment]) -> dict[int, list[str]]:
    """Say what was found by each deployment, as a receipt for whoever reported it."""
    said: dict[int, list[str]] = {}
    rows = FailureFinding.objects.filter(Q(repair__in=deployments) | Q(deployment__in=deployments))
    found = list(rows.select_related("deployment").order_by("deployment__deployed_at", "deployment_id", "pk"))
    for finding in found:
        failed, why = finding.deployment, finding.why.rstrip(".")
        if finding.repair_id is not None and finding.repair_id in deployments and finding.reason in REPAIRS:
            said.setdefault(finding.repair_id, []).append(
                f"It repairs deployment {failed.pk} ({failed.version}): {why}"
            )
        if failed.pk in deployments:
            said.setdefault(failed.pk, []).append(f"It counts as failed: {why}")
    naming = {pk for pk, row in deployments.items() if row.fixes_version and row.counts}
    naming -= {row.repair_id for row in found if row.reason == Reason.FIXES_VERSION}
    for pk in naming:
        line = f"No earlier deployment of {deployments[pk].fixes_version} is known that it could have repaired"
        said.setdefault(pk, []).append(line)
    return said


def set_incident_window(application: Application, hours: int | None) -> None:
    """Change how long after its deployments incidents are blamed on an application; causes are found anew."""
    if application.incident_window_hours == hours:
        return
    application.incident_window_hours = hours
    application.save(update_fields=["incident_window_hours"])
    concerned = Q(application=application) | Q(application=None, repository=application.repository_id)
    Incident.objects.filter(concerned, cause_is_pinned=False).update(cause_pending=True)


def overrule(deployment: Deployment, verdict: str, holds: bool, reason: str, person: User | None) -> Overruling:
    """Have a person say whether a verdict holds, whatever the rules find. It outlives every recomputation."""
    with transaction.atomic():
        Track.objects.select_for_update(of=("self",)).get(pk=deployment.track_id)
        row, _ = Overruling.objects.update_or_create(
            deployment=deployment,
            verdict=verdict,
            defaults={"holds": holds, "reason": reason, "made_by": person, "created_at": timezone.now()},
        )
        settle({deployment.pk})
    return row


def withdraw_overruling(deployment: Deployment, verdict: str) -> bool:
    """Leave a verdict to the rules again; return whether it was overruled."""
    with transaction.atomic():
        Track.objects.select_for_update(of=("self",)).get(pk=deployment.track_id)
        gone, _ = Overruling.objects.filter(deployment=deployment, verdict=verdict).delete()
        settle({deployment.pk})
    return bool(gone)
