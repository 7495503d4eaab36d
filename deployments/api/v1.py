"""The API on /v1: reporting and reading deployments. camelCase throughout."""

import datetime
import re
from typing import Any

from django.conf import settings
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import jobs, recording
from deployments.api import representations
from deployments.api.base import ApiView
from deployments.api.filters import filter_deployments, flag
from deployments.api.pagination import NewestFirst
from deployments.api.problems import field_errors, problem
from deployments.api.throttling import count_units, retry_after
from deployments.jobs import IdempotencyConflict, NewJob
from deployments.models import Deployment, Job, JobStatus, RefusedRequest, Scope
from deployments.reports import parse_date_time, read_report
from deployments.tasks import ring_bell

_WRITE: list[str] = [Scope.DEPLOYMENTS_WRITE]
_READ: list[str] = [Scope.DEPLOYMENTS_READ]
_MAX_KEY_LENGTH = 255
_REFUSED = "REFUSED"


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header), with or without its quotes."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(key) > _MAX_KEY_LENGTH or "\x00" in key:
        raise serializers.ValidationError(
            {"Idempotency-Key": [f"Must have at most {_MAX_KEY_LENGTH} characters."]}, code="max_length"
        )
    return key or None


def conflict_error() -> serializers.ValidationError:
    """Return what answers an idempotency key that comes with another body."""
    return serializers.ValidationError(
        {"Idempotency-Key": ["This key was used before, with another body."]}, code="reused"
    )


def new_job(body: Any, key: str | None, **fields: Any) -> NewJob:
    """Return the job that a body asks for. Raises ValidationError."""
    payload = read_report(body).to_payload()
    return NewJob(payload=payload, idempotency_key=key, body_digest=jobs.digest_of(payload), **fields)


def accept(view: ApiView, new: NewJob) -> Job:
    """Store a job for the workspace of the request and wake a worker."""
    try:
        job = jobs.accept(view.workspace, view.api_key, new)
    except IdempotencyConflict as error:
        raise conflict_error() from error
    ring_bell()
    return job


class Deployments(ApiView):
    """POST reports a deployment, GET lists them."""

    required_scopes = {"GET": _READ, "POST": _WRITE}

    def post(self, request: Request) -> Response:
        job = accept(self, new_job(self.json_body(), idempotency_key(request)))
        return Response(representations.receipt(request, job), status=202)

    def get(self, request: Request) -> Response:
        rows = Deployment.objects.filter(workspace=self.workspace).select_related(
            "application__repository", "environment"
        )
        if not flag(request, "archived"):
            rows = rows.filter(archived_at=None)
        pages = NewestFirst()
        page = pages.paginate_queryset(filter_deployments(rows, request, self.workspace.zone), request, self)
        return pages.get_paginated_response([representations.deployment(row) for row in page or ()])


class DeploymentBatch(ApiView):
    """POST reports up to 1,000 deployments. Each has its own answer, and each counts against the rate limit."""

    required_scopes = {"POST": _WRITE}
    max_body_bytes = settings.SLIPWAY_MAX_BATCH_BODY_BYTES

    def post(self, request: Request) -> Response:
        items = self._items()
        key = idempotency_key(request)
        # The request itself was counted as one.
        granted = 1 + count_units(request, len(items) - 1)
        answers = self._store([_read(item, key and f"{key}#{number}") for number, item in enumerate(items[:granted])])
        ring_bell()
        over = [problem(429, "The rate limit of this API key is used up.")] * (len(items) - granted)
        headers = retry_after(request) if over else {}
        taken = any(answer["status"] == 202 for answer in answers)
        return Response({"results": answers + over}, status=202 if taken else 422, headers=headers)

    def _store(self, read: list[NewJob | dict[str, Any]]) -> list[dict[str, Any]]:
        """Store what could be read, all in one transaction, and return the answer for each item."""
        new = [one for one in read if isinstance(one, NewJob)]
        stored = iter(jobs.accept_all(self.workspace, self.api_key, new) if new else [])
        return [self._answer(next(stored)) if isinstance(one, NewJob) else one for one in read]

    def _answer(self, job: Job | IdempotencyConflict) -> dict[str, Any]:
        if isinstance(job, IdempotencyConflict):
            return _invalid(conflict_error())
        return representations.receipt(self.request, job)

    def _items(self) -> list[Any]:
        body = self.json_body()
        items = body.get("deployments") if isinstance(body, dict) else body
        if not isinstance(items, list) or not 1 <= len(items) <= settings.SLIPWAY_MAX_BATCH_ITEMS:
            raise serializers.ValidationError(
                {"deployments": [f"Must be a list of 1 to {settings.SLIPWAY_MAX_BATCH_ITEMS} deployments."]}
            )
        return items


def _read(item: Any, key: str | None) -> NewJob | dict[str, Any]:
    """Return the job that an item asks for, or the problem with it."""
    try:
        return new_job(item, key)
    except serializers.ValidationError as error:
        return _invalid(error)


def _invalid(error: serializers.ValidationError) -> dict[str, Any]:
    return problem(422, "Some fields cannot be taken.", field_errors(error.get_full_details()))


class _OneDeployment(ApiView):
    def deployment(self, id: int) -> Deployment:  # the route's word
        """Return the deployment of this id, if it is this workspace's. Raises Http404."""
        rows = Deployment.objects.select_related("application__repository", "environment")
        row = rows.filter(workspace=self.workspace, pk=id).first() if id < 2**63 else None
        if row is None:
            raise Http404
        return row


class DeploymentDetail(_OneDeployment):
    """GET shows a deployment with its changes, DELETE archives it."""

    required_scopes = {"GET": _READ, "DELETE": _WRITE}

    def get(self, request: Request, id: int) -> Response:
        return Response(representations.deployment_in_full(self.deployment(id)))

    def delete(self, request: Request, id: int) -> Response:
        recording.archive(self.deployment(id))
        ring_bell()
        return Response(status=204)


class DeploymentRestore(_OneDeployment):
    """POST brings an archived deployment back."""

    required_scopes = {"POST": _WRITE}

    def post(self, request: Request, id: int) -> Response:
        row = self.deployment(id)
        recording.restore(row)
        ring_bell()
        return Response(representations.deployment(row))


class Jobs(ApiView):
    """GET lists the latest jobs, and the requests that were refused, newest first."""

    required_scopes = {"GET": [Scope.DEPLOYMENTS_READ, Scope.DEPLOYMENTS_WRITE]}
    page_size = 50

    def get(self, request: Request) -> Response:
        jobs_ = Job.objects.for_lists().filter(workspace=self.workspace)
        refused = RefusedRequest.objects.filter(workspace=self.workspace)
        if status := _job_status(request):
            jobs_ = jobs_.filter(status=status)
            refused = refused if status == _REFUSED else refused.none()
        until, skip = _job_cursor(request)
        if until is not None:
            jobs_, refused = jobs_.filter(created_at__lte=until), refused.filter(created_at__lte=until)
        most = skip + self.page_size + 1
        rows: list[Job | RefusedRequest] = [
            *jobs_.order_by("-created_at", "-id")[:most],
            *refused.order_by("-created_at", "-id")[:most],
        ]
        rows.sort(key=lambda row: row.created_at, reverse=True)  # stable: of one moment, jobs come first
        page = rows[skip : skip + self.page_size]
        following = self._next(rows, skip + len(page)) if len(rows) > skip + len(page) else None
        return Response({"results": [self._show(row) for row in page], "next": following})

    def _show(self, row: Job | RefusedRequest) -> dict[str, Any]:
        if isinstance(row, Job):
            return representations.listed_job(self.request, row)
        return representations.refused_request(row)

    def _next(self, rows: list[Job | RefusedRequest], shown: int) -> str:
        """Return the address of the next page: how late its rows are, and how many of that moment were shown."""
        last = rows[shown - 1].created_at
        skip = sum(row.created_at == last for row in rows[:shown])
        query = self.request.query_params.copy()
        query["cursor"] = f"{representations.moment(last)}~{skip}"
        return representations.absolute(self.request, f"{self.request.path}?{query.urlencode()}")


def _job_status(request: Request) -> str:
    """Return the status that a list of jobs is narrowed down to, or nothing. Raises ValidationError."""
    status = request.query_params.get("status", "").strip().upper()
    choices = [*JobStatus.values, _REFUSED]
    if status and status not in choices:
        raise serializers.ValidationError({"status": [f"Must be one of {', '.join(choices)}."]})
    return status


def _job_cursor(request: Request) -> tuple[datetime.datetime | None, int]:
    """Return where a page begins: its latest moment, and how many of that moment came before it."""
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return None, 0
    moment, _, skip = cursor.rpartition("~")
    try:
        return parse_date_time(moment), int(re.fullmatch("[0-9]{1,4}", skip)[0])  # type: ignore[index]
    except (serializers.ValidationError, TypeError) as error:
        raise serializers.ValidationError({"cursor": ["Is not one that a list has given."]}) from error
