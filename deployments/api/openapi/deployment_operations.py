"""What the document says of reporting deployments and reading them back."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema

from deployments.api.openapi import answers
from deployments.api.openapi.json_schema import Schema, boolean, choice, component, list_of, record, text
from deployments.api.openapi.parts import (
    APP,
    CURSOR,
    ENVIRONMENT,
    FROM,
    LIMIT,
    METRICS,
    NOTHING,
    READING,
    REPORTING,
    REPOSITORY,
    TO,
    answer,
    answered,
    header,
    json,
    query,
    sent,
    several,
)
from deployments.api.openapi.problems import CONTENT, PROBLEM
from deployments.models import ChangeKind, DeploymentState
from deployments.reports import DeploymentReportSerializer

_MIB = 1024 * 1024
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    text(maxLength=255),
    "The same key from the same API key is one deployment: the second call gets the first one's job. With another"
    " body it is 422.",
)
REPORT_EXAMPLE = {
    "repositoryFullName": "acme/backend",
    "environment": "production",
    "app": "backend-api",
    "version": "v1.4.2",
    "commitHash": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2",
    "author": "jane-doe",
}
# The component that is made of DeploymentReportSerializer.
REPORT: Schema = {"$ref": "#/components/schemas/DeploymentReport"}
_REPORTS = list_of(REPORT, minItems=1, maxItems=settings.SLIPWAY_MAX_BATCH_ITEMS)
_BATCH = {"oneOf": [_REPORTS, record({"deployments": _REPORTS})]}
_RESULT = {"oneOf": [answers.RECEIPT, PROBLEM]}
_BATCH_ANSWER = component(
    "BatchAnswer", record({"results": list_of(_RESULT, "One for each item, in the same order.")})
)
_JOB = "http://127.0.0.1:8000/api/jobs/01a1fb45-1420-756d-b10b-ae6789f024f5"
_RECEIPT_EXAMPLE = {
    "status": 202,
    "id": "01a1fb45-1420-756d-b10b-ae6789f024f5",
    "_links": {
        "self": {"href": _JOB},
        "delete job": {"href": _JOB, "type": "DELETE"},
        "logs": {"href": f"{_JOB}/logs?sequence=0", "type": "GET"},
        "withdraw job": {"href": f"{_JOB}/stopped", "type": "PUT"},
    },
}
_NOTHING_NEW = component("NothingNew", record({"status": {"const": 200}, "detail": text()}))
_FLUX_EVENT = {"type": "object", "description": "What Flux documents as its event."}
_FLUX_EXAMPLE = {
    "involvedObject": {"kind": "Kustomization", "name": "backend-api", "namespace": "flux-system"},
    "severity": "info",
    "reason": "ReconciliationSucceeded",
    "message": "Reconciliation finished",
    "metadata": {
        "revision": "main@sha1:a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2",
        "repositoryFullName": "acme/backend",
        "environment": "production",
    },
}

_REPORTING: dict[str, dict[str, Any]] = {
    "v1-deployments": {
        "post": extend_schema(
            operation_id="reportDeployment",
            tags=[REPORTING],
            summary="Report a deployment",
            description="The job is stored durably before it is answered, and processed afterwards. Applications,"
            " environments and repositories never heard of are created. Text is trimmed, unknown fields are ignored,"
            " and `null` says the same as leaving an optional field out. The same application, environment, version,"
            " commit and stated `deployedAt` again is the same deployment. A body may have up to"
            f" {settings.SLIPWAY_MAX_BODY_BYTES // _MIB} MiB, uncompressed.",
            parameters=[IDEMPOTENCY_KEY],
            request=json(DeploymentReportSerializer, sent("A deployment", REPORT_EXAMPLE)),
            responses={202: answer(answers.RECEIPT, "Stored as a job.", answered("A receipt", _RECEIPT_EXAMPLE))},
        ),
        "get": extend_schema(
            operation_id="listDeployments",
            tags=[READING],
            summary="List deployments, newest first",
            parameters=[
                APP,
                ENVIRONMENT,
                REPOSITORY,
                several("author", "Who deployed."),
                several("state", "States.", choice(DeploymentState)),
                several("changeKind", "How they relate to what ran before.", choice(ChangeKind)),
                several("failed", "Whether they had to be repaired.", choice(["true", "false"])),
                FROM,
                TO,
                query("archived", boolean(), "With those that are archived."),
                LIMIT,
                CURSOR,
            ],
            responses={200: answer(component("Deployments", answers.page_of(answers.DEPLOYMENT)), "A page.")},
        ),
    },
    "v1-deployment-batch": {
        "post": extend_schema(
            operation_id="reportDeployments",
            tags=[REPORTING],
            summary=f"Report up to {settings.SLIPWAY_MAX_BATCH_ITEMS:,} deployments at once",
            description="For backfills. Each item has its own answer: a receipt, or a problem with its `status`. Each"
            " counts against the rate limit; those over it answer 429 and `Retry-After` says when to go on. With an"
            " `Idempotency-Key`, each item has the key and its place for one. A body may have up to"
            f" {settings.SLIPWAY_MAX_BATCH_BODY_BYTES // _MIB} MiB.",
            parameters=[IDEMPOTENCY_KEY],
            request=json(_BATCH, sent("One deployment", {"deployments": [REPORT_EXAMPLE]})),
            responses={
                202: answer(_BATCH_ANSWER, "At least one item was taken."),
                (422, "application/json"): answer(_BATCH_ANSWER, "No item was taken, or it is no list of them."),
                (422, *CONTENT): answer(PROBLEM, ""),
            },
        ),
    },
    "v1-deployment-flux": {
        "post": extend_schema(
            operation_id="reportFluxEvent",
            tags=[REPORTING],
            summary="Report an event of Flux",
            description="The address of a `generic` provider of Flux's notification controller. The event's"
            " `metadata` says what the fields of a report say.",
            request=json(_FLUX_EVENT, sent("A reconciliation", _FLUX_EXAMPLE)),
            responses={
                202: answer(answers.RECEIPT, "Stored as a job."),
                200: answer(_NOTHING_NEW, "The event is not about a deployment, or says nothing new."),
            },
        ),
    },
}
_READING: dict[str, dict[str, Any]] = {
    "v1-deployment": {
        "get": extend_schema(
            operation_id="getDeployment",
            tags=[READING],
            summary="A deployment with its changes",
            responses={200: answer(answers.DEPLOYMENT_IN_FULL, "The deployment.")},
        ),
        "delete": extend_schema(
            operation_id="archiveDeployment",
            tags=[REPORTING],
            summary="Archive a deployment",
            description="It leaves the metrics, not the history.",
            responses={204: NOTHING},
        ),
    },
    "v1-deployment-restore": {
        "post": extend_schema(
            operation_id="restoreDeployment",
            tags=[REPORTING],
            summary="Bring an archived deployment back",
            request=None,
            responses={200: answer(answers.DEPLOYMENT, "The deployment.")},
        ),
    },
    "v1-environments": {
        "get": extend_schema(
            operation_id="listEnvironments",
            tags=[READING],
            summary="What runs where, and how much waits behind it",
            parameters=[ENVIRONMENT, APP, REPOSITORY],
            responses={200: answer(answers.ENVIRONMENTS, "The environments.")},
        ),
    },
    "v1-teams": {
        "get": extend_schema(
            operation_id="listTeams",
            tags=[METRICS],
            summary="The teams",
            responses={200: answer(answers.TEAMS, "The teams.")},
        ),
    },
}
OPERATIONS = {**_REPORTING, **_READING}
