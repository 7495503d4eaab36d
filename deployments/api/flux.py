"""The address for Flux's generic webhook: an event that tells of a deployment becomes a report like any other."""

import hashlib

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import representations, v1
from deployments.api.base import ApiView
from deployments.api.flux_event import read_event
from deployments.catalog import applications_named
from deployments.jobs import NewJob
from deployments.models import Deployment, DeploymentState, Scope, Workspace
from deployments.names import name_key
from deployments.recording import DeploymentReport
from deployments.reports import read_report


class FluxEvents(ApiView):
    """POST takes an event of Flux. What is not about a deployment, or is told already, is 200 and no job."""

    required_scopes = {"POST": [Scope.DEPLOYMENTS_WRITE]}

    def post(self, request: Request) -> Response:
        event = self.json_body()
        if not isinstance(event, dict):
            raise serializers.ValidationError({"body": ["Must be a JSON object."]}, code="invalid")
        body = read_event(event)
        if body is None:
            return _nothing_new("The event is not about a deployment.")
        report = read_report(body)
        newest = _newest_on_track(self.workspace, report)
        if newest is not None and is_told(newest, report):
            return _nothing_new(f"Deployment {newest.pk} has told this already.")
        job = v1.accept(self, _new_job(report, newest))
        return Response(representations.receipt(request, job), status=202)


def is_told(newest: Deployment, report: DeploymentReport) -> bool:
    """Tell whether a report says nothing new of the newest deployment of its track.

    Flux repeats itself: with every reconciliation, every try, and where it undoes what somebody changed by hand. What
    fails after a deployment has succeeded is an incident.
    """
    is_same = (newest.version, newest.commit_sha) == (report.version, report.commit_sha)
    return is_same and newest.state in (report.state, DeploymentState.SUCCESS)


def _newest_on_track(workspace: Workspace, report: DeploymentReport) -> Deployment | None:
    rows = Deployment.objects.filter(
        application__in=applications_named(workspace, report.app, report.repository),
        environment__name_key=name_key(report.environment),
        archived_at=None,
    )
    return rows.newest_first().first()


def _new_job(report: DeploymentReport, newest: Deployment | None) -> NewJob:
    """Return the job of a report; the same one for all that is said of a state until another deployment is known.

    So a try that fails twenty times before a worker sees the first is one failed deployment.
    """
    said = (report.repository, report.app, report.environment, report.version, report.commit_sha, report.state)
    digest = hashlib.sha256("\n".join((*said, str(newest and newest.pk))).encode()).hexdigest()
    return NewJob(payload=report.to_payload(), idempotency_key=f"flux:{digest}", body_digest=digest)


def _nothing_new(detail: str) -> Response:
    return Response({"status": 200, "detail": detail})
