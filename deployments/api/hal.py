"""Jobs with HAL links, compatible with the deployments API of Matatika and Meltano Cloud."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import jobs
from deployments.api import representations
from deployments.api.base import ApiView
from deployments.api.body import parse_json, read_body
from deployments.api.problems import Conflict
from deployments.api.v1 import accept, idempotency_key, new_job
from deployments.models import Job, JobType, Scope, Workspace
from deployments.recording import newest_known_commit

CONTENT_TYPE = "application/hal+json"
_WRITE: list[str] = [Scope.DEPLOYMENTS_WRITE]
_READ: list[str] = [Scope.DEPLOYMENTS_READ, Scope.DEPLOYMENTS_WRITE]


class WorkspaceDeployments(ApiView):
    """POST reports a deployment; without a body it deploys the workspace's defaults."""

    required_scopes = {"POST": _WRITE}

    def post(self, request: Request, workspace_id: UUID) -> Response:
        if workspace_id != self.workspace.pk:
            raise Http404
        raw = read_body(request, self.max_body_bytes)
        body = parse_json(raw) if raw.strip() else {}
        if body == {}:
            body = default_report(self.workspace)
        job = accept(self, new_job(body, idempotency_key(request), type=JobType.WORKSPACE_DEPLOY))
        return Response(representations.hal_job(request, job), status=202, content_type=CONTENT_TYPE)


def default_report(workspace: Workspace) -> dict[str, Any]:
    """Return the report that a request without a body makes. Raises ValidationError that says what to set."""
    application, environment = workspace.default_application, workspace.default_environment
    errors = {}
    if application is None:
        errors["defaultApplication"] = ["The workspace has none: choose one in its settings, or send a body."]
    if environment is None:
        errors["defaultEnvironment"] = ["The workspace has none: choose one in its settings, or send a body."]
    if application is None or environment is None:
        raise serializers.ValidationError(errors, code="not_set")
    sha = newest_known_commit(application)
    if sha is None:
        raise serializers.ValidationError(
            {"commitHash": [f"No commit of {application.repository} is known yet: send a body."]},
            code="not_known",
        )
    return {
        "repositoryFullName": application.repository.full_name,
        "environment": environment.name,
        "app": application.name,
        "version": sha[:12],
        "commitHash": sha,
    }


class _OneJob(ApiView):
    def job(self, job_id: UUID) -> Job:
        """Return the job of this id, if it is this workspace's. Raises Http404."""
        rows = Job.objects.for_lists().select_related("api_key__created_by", "workspace")
        job = rows.filter(workspace=self.workspace, pk=job_id).first()
        if job is None:
            raise Http404
        return job


class JobDetail(_OneJob):
    """GET shows a job, DELETE deletes one that has ended."""

    required_scopes = {"GET": _READ, "DELETE": _WRITE}

    def get(self, request: Request, job_id: UUID) -> Response:
        return Response(representations.hal_job(request, self.job(job_id)), content_type=CONTENT_TYPE)

    def delete(self, request: Request, job_id: UUID) -> Response:
        if not jobs.delete(self.job(job_id)):
            raise Conflict("The job has not ended yet: withdraw it first.")
        return Response(status=204)


class JobLogs(_OneJob):
    """GET returns the job's log as text, from line `sequence` on; X-Next-Sequence says where to go on."""

    required_scopes = {"GET": _READ}

    def get(self, request: Request, job_id: UUID) -> HttpResponse:
        sequence = request.query_params.get("sequence", "0")
        if not sequence.isascii() or not sequence.isdigit() or len(sequence) > 9:
            raise serializers.ValidationError({"sequence": ["Must be a line number, counted from 0."]})
        lines = self.job(job_id).log_lines(int(sequence))
        text = "".join(f"{line}\n" for line in lines)
        response = HttpResponse(text, content_type="text/plain; charset=utf-8")
        response["X-Next-Sequence"] = str(int(sequence) + len(lines))
        return response


class JobStopped(_OneJob):
    """PUT withdraws a queued job, and has a running one stop after its step."""

    required_scopes = {"PUT": _WRITE}

    def put(self, request: Request, job_id: UUID) -> Response:
        if not jobs.withdraw(self.job(job_id)):
            raise Conflict("The job has ended already.")
        return Response(representations.hal_job(request, self.job(job_id)), content_type=CONTENT_TYPE)
