"""Finds which deployment caused an incident."""

import datetime

from django.db.models import Q, QuerySet

from deployments.failures import Rules
from deployments.models import Application, ChangeKind, Deployment, Environment, Incident


def window_of(application: Application, rules: Rules) -> datetime.timedelta:
    """Return how long after a deployment of an application an incident is blamed on it."""
    hours = application.incident_window_hours
    return datetime.timedelta(hours=rules.incident_window_hours if hours is None else hours)


def applications_of(incident: Incident) -> QuerySet[Application]:
    """Return the applications of which one may have caused an incident: none where nothing tells."""
    if incident.application_id is not None:
        return Application.objects.filter(pk=incident.application_id)
    if incident.repository_id is not None:
        return Application.objects.filter(repository=incident.repository_id)
    return Application.objects.none()


def environments_of(incident: Incident) -> QuerySet[Environment]:
    """Return where an incident may have been caused: in production, where nothing else is said."""
    rows = Environment.objects.filter(workspace=incident.workspace_id)
    if incident.environment_id is not None:
        return rows.filter(pk=incident.environment_id)
    return rows.filter(is_production=True)


def find_cause(incident: Incident, rules: Rules) -> Deployment | None:
    """Return the latest deployment before an incident and within the window; no redeploy."""
    windows: dict[datetime.timedelta, list[int]] = {}
    for application in applications_of(incident):
        windows.setdefault(window_of(application, rules), []).append(application.pk)
    near = Q()
    for window, ids in windows.items():
        near |= Q(application__in=ids, deployed_at__gte=incident.started_at - window)
    if not windows:
        return None
    rows = Deployment.objects.reached().filter(
        near, environment__in=environments_of(incident), deployed_at__lte=incident.started_at
    )
    return rows.exclude(change_kind=ChangeKind.REDEPLOY).newest_first().first()
