"""Incidents: opened and changed by people and monitors, or recorded as GitHub issues tell of them.

Whatever bears on the cause marks the incident, so that its cause is found anew.
"""

import datetime
import logging
from copy import copy
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypedDict, Unpack

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from deployments.models import Application, Deployment, Environment, Incident, Repository, User, Workspace
from deployments.names import name_key, order_within_second
from deployments.signals import incident_changed
from deployments.verdicts import judge_incident

logger = logging.getLogger(__name__)


class Automatic(Enum):
    """Says that the cause of an incident is to be found by the rules."""

    CAUSE = "auto"


AUTOMATIC: Final = Automatic.CAUSE
# The deployment that somebody says it was, None where they say that none was, or what the rules find.
Cause = Deployment | None | Literal[Automatic.CAUSE]

# What a GitHub issue decides itself.
DECIDED_BY_ISSUE = frozenset({"title", "url", "started_at", "resolved_at"})


class EndsBeforeItBegan(ValueError):
    """An incident would be resolved before it began."""


class IssueDecides(ValueError):
    """What was asked for is decided by the GitHub issue that the incident is."""


class Facts(TypedDict, total=False):
    """What can be said of an incident; what is left out stays as it is."""

    title: str
    url: str
    started_at: datetime.datetime
    resolved_at: datetime.datetime | None
    application: Application | None
    environment: Environment | None
    cause: Cause


def open_incident(
    workspace: Workspace,
    *,
    source: str = Incident.Source.API,
    external_id: str = "",
    created_by: User | None = None,
    **facts: Unpack[Facts],
) -> tuple[Incident, bool]:
    """Open an incident, or change the one that this source opened under the same external id.

    Returns it, and whether it is new. Application and environment are the cause's where none are named. Raises
    EndsBeforeItBegan.
    """
    with transaction.atomic():
        incident, is_new = _found_or_new(workspace, source, external_id, created_by, facts)
        if not is_new:
            incident = _change(incident, facts)
        else:
            incident_changed.send(sender=None, incident=incident, action="opened")
    return _judged(incident), is_new


def _found_or_new(
    workspace: Workspace, source: str, external_id: str, created_by: User | None, facts: Facts
) -> tuple[Incident, bool]:
    new = Incident(workspace=workspace, source=source, external_id=external_id, created_by=created_by)
    if external_id:
        mine = Incident.objects.filter(workspace=workspace, source=source, external_id=external_id).first()
        if mine is not None:
            return mine, False
    _apply(new, facts)
    cause = new.cause
    if cause is not None:
        new.application = new.application or cause.application
        new.environment = new.environment or cause.environment
        new.repository = new.application.repository
    new.cause_pending = True
    if not external_id:
        new.save()
        return new, True
    try:
        with transaction.atomic():
            new.save()
    except IntegrityError:  # another request opened it at the same moment
        return Incident.objects.get(workspace=workspace, source=source, external_id=external_id), False
    return new, True


def change_incident(incident: Incident, **facts: Unpack[Facts]) -> Incident:
    """Change what is said of an incident. Raises EndsBeforeItBegan, and IssueDecides."""
    with transaction.atomic():
        changed = _change(incident, facts)
    return _judged(changed)


def _change(incident: Incident, facts: Facts) -> Incident:
    held = Incident.objects.select_for_update().get(pk=incident.pk)
    if held.is_issue and DECIDED_BY_ISSUE & facts.keys():
        raise IssueDecides
    was_open = held.is_open
    if _apply(held, facts):
        held.cause_pending = True
        held.save()
        action = "edited" if held.is_open == was_open else "reopened" if held.is_open else "resolved"
        incident_changed.send(sender=None, incident=held, action=action)
    return held


def _judged(incident: Incident) -> Incident:
    """Return the incident with the cause that is found for it now; where that fails, the sweep finds it.

    Not in the transaction that changed the incident: judging holds tracks before incidents.
    """
    if incident.cause_pending:
        try:
            judge_incident(incident)
        except DatabaseError as error:  # what was said is stored, so the answer must not be that it was not
            logger.warning("the cause of incident %s is found later: %s", incident.pk, error)
        else:
            incident.refresh_from_db()
    return incident


def _apply(incident: Incident, facts: Facts) -> bool:
    """Apply facts to an incident that is not saved by this, and tell whether any is new."""
    said = dict(facts)
    if "cause" in facts:
        cause = facts["cause"]
        said["cause_is_pinned"] = cause is not AUTOMATIC
        if cause is AUTOMATIC:
            del said["cause"]  # the former one stays until the rules have found another
    if "application" in facts and not incident.is_issue:
        application = facts["application"]
        said["repository"] = application.repository if application else None
    is_new = any(getattr(incident, name) != value for name, value in said.items())
    for name, value in said.items():
        setattr(incident, name, value)
    if incident.resolved_at is not None and incident.resolved_at < incident.started_at:
        raise EndsBeforeItBegan
    return is_new


def resolve(incident: Incident, resolved_at: datetime.datetime | None = None) -> Incident:
    """Say that an incident is over, now where nobody says when. Raises EndsBeforeItBegan, and IssueDecides."""
    return change_incident(incident, resolved_at=resolved_at or max(timezone.now(), incident.started_at))


def reopen(incident: Incident) -> Incident:
    """Say that an incident is not over. Raises IssueDecides."""
    return change_incident(incident, resolved_at=None)


def link(incident: Incident, cause: Deployment | None) -> Incident:
    """Say which deployment caused an incident, or that none did. The rules leave it at that."""
    return change_incident(incident, cause=cause)


def unlink(incident: Incident) -> Incident:
    """Have the rules find the cause again."""
    return change_incident(incident, cause=AUTOMATIC)


def withdraw(incident: Incident) -> Incident:
    """Say that it was none: it causes nothing any more, and is kept. Raises IssueDecides."""
    return _set_withdrawn(incident, is_withdrawn=True)


def restore(incident: Incident) -> Incident:
    """Say that it was one after all. Raises IssueDecides."""
    return _set_withdrawn(incident, is_withdrawn=False)


def _set_withdrawn(incident: Incident, *, is_withdrawn: bool) -> Incident:
    with transaction.atomic():
        held = Incident.objects.select_for_update().get(pk=incident.pk)
        if held.is_issue:
            raise IssueDecides
        if held.is_withdrawn != is_withdrawn:
            held.is_withdrawn, held.cause_pending = is_withdrawn, True
            held.save(update_fields=["is_withdrawn", "cause_pending"])
            incident_changed.send(sender=None, incident=held, action="withdrawn" if is_withdrawn else "restored")
    return _judged(held)


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """What one event tells of an issue."""

    github_id: int
    title: str
    url: str
    labels: tuple[str, ...]
    opened_at: datetime.datetime
    closed_at: datetime.datetime | None  # None where it is open, also where it was reopened
    told_at: datetime.datetime
    lost_labels: tuple[str, ...] = ()  # where the event is that they were taken away
    is_gone: bool = False  # deleted, or transferred to another repository
    rank: int = 1  # among events of the same second


def record_issue(repository: Repository, facts: IssueFacts) -> Incident | None:
    """Record the incident that an issue is, by its labels; None where it is none and never was.

    The latest event counts: an issue that has lost the label is no incident any more. The caller holds a transaction.
    """
    workspace = repository.workspace
    wanted = {name_key(label) for label in workspace.incident_labels}
    order = order_within_second(facts.rank, facts)
    is_incident = not facts.is_gone and any(name_key(label) in wanted for label in facts.labels)
    rows = Incident.objects.select_for_update().filter(workspace=workspace, source=Incident.Source.GITHUB)
    incident = rows.filter(external_id=str(facts.github_id)).first()
    if incident is None:
        # One that is none any more is kept as such: of the time before, an event may still arrive.
        if not any(name_key(label) in wanted for label in (*facts.labels, *facts.lost_labels)):
            return None
        incident = Incident(
            workspace=workspace,
            source=Incident.Source.GITHUB,
            external_id=str(facts.github_id),
            started_at=facts.opened_at,
            facts_at=facts.told_at,
        )
    elif (facts.told_at, order) < (incident.facts_at, incident.facts_order):
        return incident
    before = copy(incident)
    incident.repository = repository
    incident.title, incident.url = facts.title[:500], facts.url[:2000]
    incident.started_at, incident.resolved_at = facts.opened_at, facts.closed_at
    incident.facts_at, incident.facts_order = facts.told_at, order
    incident.is_withdrawn = not is_incident
    incident.cause_pending = True
    incident.save()
    if action := _action(before, incident):
        incident_changed.send(sender=None, incident=incident, action=action)
    return incident


def _action(before: Incident, now: Incident) -> str:
    """Return what an event of an issue did to its incident, or nothing."""
    if before.pk is None or before.is_withdrawn != now.is_withdrawn:
        if now.is_withdrawn:
            return "" if before.pk is None else "withdrawn"
        return "opened" if before.pk is None else "restored"
    if now.is_withdrawn:
        return ""
    if before.is_open != now.is_open:
        return "reopened" if now.is_open else "resolved"
    said = ("title", "url", "started_at", "resolved_at", "repository_id")
    return "edited" if any(getattr(before, name) != getattr(now, name) for name in said) else ""
