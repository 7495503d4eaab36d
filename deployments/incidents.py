"""Records incidents that GitHub issues tell of."""

import datetime
from dataclasses import dataclass

from deployments.models import Incident, Repository
from deployments.names import name_key, order_within_second


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
    incident.repository = repository
    incident.title, incident.url = facts.title[:500], facts.url[:2000]
    incident.started_at, incident.resolved_at = facts.opened_at, facts.closed_at
    incident.facts_at, incident.facts_order = facts.told_at, order
    incident.is_withdrawn = not is_incident
    incident.save()
    return incident
