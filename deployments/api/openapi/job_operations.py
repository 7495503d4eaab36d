"""What the document says of jobs, and of the addresses under /api that make them."""

from typing import Any

from drf_spectacular.utils import extend_schema

from deployments.api.hal import CONTENT_TYPE as HAL
from deployments.api.openapi import answers
from deployments.api.openapi.deployment_operations import IDEMPOTENCY_KEY, REPORT, REPORT_EXAMPLE
from deployments.api.openapi.json_schema import choice, component, integer, record, text
from deployments.api.openapi.parts import (
    CURSOR,
    JOBS,
    NOTHING,
    REPORTING,
    answer,
    answer_header,
    header,
    json,
    query,
    sent,
)
from deployments.api.openapi.problems import CONFLICT, NOT_SIGNED
from deployments.models import JobStatus

_JOB = {(200, HAL): answer(answers.HAL_JOB, "The job.")}
_NEW_JOB = {(202, HAL): answer(answers.HAL_JOB, "Stored as a job.")}
_SIGNATURES = {"githubSignature": "X-Hub-Signature-256", "githubSignatureSha1": "X-Hub-Signature"}
for _name, _header in _SIGNATURES.items():
    component(
        _name,
        {
            "type": "apiKey",
            "in": "header",
            "name": _header,
            "description": "GitHub's signature of the raw body with the workspace's deployment secret"
            + (" (SHA-1, read only where the other is not sent)." if _name.endswith("Sha1") else "."),
        },
        "securitySchemes",
    )
_PAYLOAD = {"type": "object", "description": "What GitHub documents for the event."}

OPERATIONS: dict[str, dict[str, Any]] = {
    "v1-jobs": {
        "get": extend_schema(
            operation_id="listJobs",
            tags=[JOBS],
            summary="The latest jobs, and the requests that were refused",
            parameters=[query("status", choice([*JobStatus.values, "REFUSED"]), "One status."), CURSOR],
            responses={200: answer(answers.JOBS, "A page.")},
        ),
    },
    "workspace-deployments": {
        "post": extend_schema(
            operation_id="deployWorkspace",
            tags=[REPORTING],
            summary="Report a deployment, and get its job with HAL links",
            description="Without a body, or with an empty object, it records the workspace's default application and"
            " environment at the newest known commit of its default branch; where none is set, 422 says what to set.",
            parameters=[IDEMPOTENCY_KEY],
            request=json(
                {"anyOf": [REPORT, {"type": "object", "maxProperties": 0}]},
                sent("A deployment", REPORT_EXAMPLE),
                sent("The workspace's defaults", {}),
            ),
            responses=_NEW_JOB,
        ),
    },
    "github-webhook": {
        "post": extend_schema(
            operation_id="deliverGithubEvent",
            tags=[REPORTING],
            summary="The payload URL to give GitHub",
            description="GitHub signs what it delivers instead of sending a key. A delivery that comes again"
            " gets the job of the first.",
            auth=[{name: []} for name in _SIGNATURES],  # type: ignore[misc] # its type leaves out what it takes
            parameters=[
                header("X-GitHub-Event", text(examples=["deployment_status"]), "What is delivered."),
                header("X-GitHub-Delivery", text(), "The delivery's id."),
                answer_header("WWW-Authenticate", text(), "Names the header that is asked for.", 401),
            ],
            request={
                **json(_PAYLOAD, sent("A ping", {"zen": "Keep it logically awesome."})),
                "application/x-www-form-urlencoded": record({"payload": text("The same as JSON.")}),
            },
            responses={**_NEW_JOB, **NOT_SIGNED},
        ),
    },
    "job": {
        "get": extend_schema(operation_id="getJob", tags=[JOBS], summary="A job", responses=_JOB),
        "delete": extend_schema(
            operation_id="deleteJob",
            tags=[JOBS],
            summary="Delete a job that has ended",
            description="What it recorded stays. One that has not ended is 409.",
            responses={204: NOTHING, **CONFLICT},
        ),
    },
    "job-logs": {
        "get": extend_schema(
            operation_id="getJobLogs",
            tags=[JOBS],
            summary="The log of a job, as text",
            parameters=[
                query("sequence", integer(minimum=0, maximum=999_999_999, default=0), "From this line on."),
                answer_header("X-Next-Sequence", integer(minimum=0), "The line to go on from.", 200),
            ],
            responses={(200, "text/plain"): answer(text(), "Its lines.")},
        ),
    },
    "job-stopped": {
        "put": extend_schema(
            operation_id="stopJob",
            tags=[JOBS],
            summary="Withdraw a job",
            description="A queued job is withdrawn, a running one stops after its step, an ended one is 409.",
            request=None,
            responses={**_JOB, **CONFLICT},
        ),
    },
}
