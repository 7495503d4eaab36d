"""Tells subscribers of what the write side tells: writes events in GitHub's shape where GitHub has one.

What happened more than a day ago is history that somebody brings in, and nobody is told of it.
"""

import datetime
import json
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from deployments import signals, tasks
from deployments.api import representations
from deployments.api.github_style import representations as github_style
from deployments.models import (
    Deployment,
    DeploymentState,
    DeploymentStatus,
    Incident,
    Repository,
    WebhookDelivery,
    WebhookEvent,
    Workspace,
)
from deployments.webhooks import outbox
from deployments.webhooks.outbox import Told

_LIVE_FOR = datetime.timedelta(days=1)
_SENDER = "slipway"
_OF_CAUSE = ("app", "environment", "repository", "causeDeployment", "cause", "causeIsPinned")


def connect() -> None:
    """Begin to listen."""
    signals.deployment_reported.connect(_on_deployment, dispatch_uid="webhooks")
    signals.incident_changed.connect(_on_incident, dispatch_uid="webhooks")
    signals.repository_dispatched.connect(_on_dispatch, dispatch_uid="webhooks")
    outbox.connect(ring=tasks.ring_webhooks, complete=_complete)


def _on_deployment(deployment: Deployment, status: DeploymentStatus | None, is_new: bool, **_: Any) -> None:
    if signals.is_history() or not _is_live(deployment, status, is_new):
        return
    to = outbox.subscribers(deployment.workspace_id)
    if not to:
        return
    told = [_deployment_created(deployment)] if is_new else []
    if status is not None and status.state != DeploymentState.INACTIVE:  # GitHub tells of none either
        told.append(_status_created(deployment, status))
    outbox.write(to, told)


def _is_live(deployment: Deployment, status: DeploymentStatus | None, is_new: bool) -> bool:
    is_about_its_time = is_new or deployment.deployed_at_is_stated or status is None
    moment = deployment.deployed_at if is_about_its_time else status.created_at  # type: ignore[union-attr]
    return moment >= timezone.now() - _LIVE_FOR


def _deployment_created(deployment: Deployment) -> Told:
    payload = {
        "action": "created",
        "deployment": _github_deployment(deployment, None),
        "workflow": None,
        "workflow_run": None,
        **_surroundings(deployment.application.repository, deployment.creator or deployment.author),
        "slipway": _facts(deployment),
    }
    return Told(WebhookEvent.DEPLOYMENT, "created", payload, _incomplete_id(deployment))


def _status_created(deployment: Deployment, status: DeploymentStatus) -> Told:
    status.deployment = deployment
    payload = {
        "action": "created",
        # A client of the API reads `pending` where a webhook of GitHub says `waiting`.
        "deployment_status": {**github_style.status(_here(), status), "state": status.state},
        "deployment": _github_deployment(deployment, status),
        "check_run": None,
        "workflow": None,
        "workflow_run": None,
        **_surroundings(deployment.application.repository, status.creator or deployment.creator or deployment.author),
        "slipway": _facts(deployment),
    }
    return Told(WebhookEvent.DEPLOYMENT_STATUS, "created", payload, _incomplete_id(deployment))


def _github_deployment(deployment: Deployment, status: DeploymentStatus | None) -> dict[str, Any]:
    deployment.last_status_at = status and status.created_at  # type: ignore[attr-defined] # as its queries annotate it
    return github_style.deployment(_here(), deployment)


def _facts(deployment: Deployment) -> dict[str, Any]:
    """Return what Slipway knows of a deployment; what has still to be worked out is null."""
    facts = representations.deployment(deployment)
    if _incomplete_id(deployment) is not None:
        return {**facts, "changeKind": None, "changesCount": None, "failed": None, "rework": None}
    return {**facts, "failed": deployment.has_failed, "rework": deployment.is_rework}


def _incomplete_id(deployment: Deployment) -> int | None:
    return deployment.pk if deployment.lineage_pending or deployment.verdict_pending else None


def _surroundings(repository: Repository | None, sender: str) -> dict[str, Any]:
    shown = {"repository": github_style.repository(_here(), repository, may_write=False)} if repository else {}
    return {**shown, "sender": github_style.simple_user(_here(), sender or _SENDER)}


def _here() -> Request:
    """Return a request to this installation: addresses are those that its clients would be told."""
    address = urlsplit(settings.BASE_URL or f"http://127.0.0.1:{settings.PORT}")
    request = HttpRequest()
    request.META = {"HTTP_HOST": address.netloc, "SERVER_NAME": address.hostname, "SERVER_PORT": address.port}
    return Request(request)


def _on_incident(incident: Incident, action: str, **_: Any) -> None:
    if signals.is_history() or (action == "opened" and _is_over(incident)):
        return
    to = outbox.subscribers(incident.workspace_id)
    if not to:
        return
    person = incident.created_by.email if incident.created_by else ""
    payload = {
        "action": action,
        "incident": representations.incident(incident),
        **_surroundings(incident.repository, person),
        "slipway": {"workspace": incident.workspace.slug},
    }
    incomplete_id = incident.pk if incident.cause_pending else None
    outbox.write(to, [Told(WebhookEvent.INCIDENT, action, payload, incomplete_id)])


def _is_over(incident: Incident) -> bool:
    return incident.resolved_at is not None and incident.resolved_at < timezone.now() - _LIVE_FOR


def _on_dispatch(
    repository: Repository, event_type: str, client_payload: dict[str, Any], login: str, **_: Any
) -> None:
    to = outbox.subscribers(repository.workspace_id)
    if not to:
        return
    payload = {
        "action": event_type,
        "branch": repository.default_branch or "main",
        "client_payload": client_payload,
        **_surroundings(repository, login),
        "slipway": {"workspace": Workspace.objects.get(pk=repository.workspace_id).slug},
    }
    outbox.write(to, [Told(WebhookEvent.REPOSITORY_DISPATCH, event_type[:100], payload)])


def _complete(delivery: WebhookDelivery) -> str | None:
    """Return the text of a delivery with what was worked out since it was written; None where that is not done."""
    payload: dict[str, Any] = json.loads(delivery.payload)
    subject = delivery.incomplete_id or 0
    if delivery.event == WebhookEvent.INCIDENT:
        rows = Incident.objects.select_related("application", "environment", "repository", "cause__application")
        incident = rows.select_related("cause__environment").filter(pk=subject).first()
        if incident is None or incident.cause_pending:
            return None if incident else delivery.payload
        now = representations.incident(incident)
        payload["incident"] |= {name: now[name] for name in _OF_CAUSE}
    else:
        deployments = Deployment.objects.select_related("application__repository", "environment")
        deployment = deployments.filter(pk=subject).first()
        if deployment is None or _incomplete_id(deployment) is not None:
            return None if deployment else delivery.payload
        payload["slipway"] |= _facts(deployment)
    return outbox.text_of(payload)
