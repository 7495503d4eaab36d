"""What is shown of deployments, incidents and jobs: plain dictionaries, camelCase on /v1, HAL under /api."""

import datetime
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse
from rest_framework.request import Request

from deployments.models import (
    ApiKey,
    Change,
    Deployment,
    Environment,
    Incident,
    Job,
    Membership,
    PullRequest,
    RefusedRequest,
    Track,
)


def moment(value: datetime.datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC."""
    return None if value is None else value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def absolute(request: Request, path: str) -> str:
    """Return the address of a path, under the one that people use where the operator named it."""
    return f"{settings.BASE_URL}{path}" if settings.BASE_URL else str(request.build_absolute_uri(path))


def deployment(row: Deployment) -> dict[str, Any]:
    """Return a deployment as lists show it. Needs application, its repository and environment."""
    return {
        "id": row.pk,
        "app": row.application.name,
        "environment": row.environment.name,
        "repositoryFullName": row.application.repository.full_name,
        "version": row.version,
        "commitHash": row.commit_sha,
        "description": row.description,
        "author": row.author,
        "monorepoPath": row.monorepo_path,
        "state": row.state,
        "deployedAt": moment(row.deployed_at),
        "changeKind": row.change_kind or None,
        "changesCount": row.changes_count,
        "historyComplete": row.history_is_complete,
        "environmentUrl": row.environment_url,
        "logUrl": row.log_url,
        "sources": row.sources or [row.source],
        "createdAt": moment(row.created_at),
        "archivedAt": moment(row.archived_at),
    }


def deployment_in_full(row: Deployment) -> dict[str, Any]:
    """Return a deployment with its changes, its statuses and what ran before it."""
    previous = row.previous() if row.counts else None
    changes = row.changes.select_related("commit", "pull_request").order_by("-commit__generation", "commit__sha")
    return {
        **deployment(row),
        "changes": [change(one) for one in changes],
        "previous": previous
        and {
            "id": previous.pk,
            "version": previous.version,
            "commitHash": previous.commit_sha,
            "deployedAt": moment(previous.deployed_at),
        },
        "statuses": [
            {
                "state": status.state,
                "description": status.description,
                "environmentUrl": status.environment_url,
                "logUrl": status.log_url,
                "createdAt": moment(status.created_at),
            }
            for status in row.statuses.all()
        ],
        "failure": failure(row),
        "unknownCommits": sorted(set(row.history_gaps.values_list("sha", flat=True))),
    }


def failure(row: Deployment) -> dict[str, Any]:
    """Return whether a deployment had to be repaired and whether it was rework, why, and what people say of it."""
    return {
        "failed": row.has_failed,
        "repairedAt": moment(row.repaired_at),
        "repairedBy": row.repaired_by_id,
        "rework": row.is_rework,
        "findings": [
            {
                "reason": finding.reason,
                "why": finding.why,
                "repairedBy": finding.repair_id,
                "incident": finding.incident_id,
            }
            for finding in row.findings.order_by("repaired_at", "pk")
        ],
        "overruled": [
            {
                "verdict": said.verdict,
                "holds": said.holds,
                "reason": said.reason,
                "by": said.made_by and said.made_by.email,
                "at": moment(said.created_at),
            }
            for said in row.overrulings.select_related("made_by").order_by("verdict")
        ],
    }


def change(row: Change) -> dict[str, Any]:
    """Return one change that a deployment shipped."""
    return {
        "sha": row.commit.sha,
        "message": row.commit.subject,
        "author": row.commit.author,
        "startedAt": moment(row.started_at),
        "leadTimeSeconds": row.lead_time_seconds,
        "stages": _stages(row),
        "pullRequest": row.pull_request and _pull_request(row.pull_request),
        "clockWasAhead": row.clock_was_ahead,
        "filesUnknown": row.files_are_unknown,
    }


def _stages(row: Change) -> dict[str, int | None] | None:
    """Return how long the change spent in each stage; a single commit has none."""
    if row.coding_seconds is None:
        return None
    return {
        "codingSeconds": row.coding_seconds,
        "draftSeconds": row.draft_seconds,
        "waitingForReviewSeconds": row.waiting_for_review_seconds,
        "reviewSeconds": row.review_seconds,
        "waitingForDeploymentSeconds": row.waiting_for_deployment_seconds,
    }


def _pull_request(row: PullRequest) -> dict[str, Any]:
    return {
        "number": row.number,
        "title": row.title,
        "url": row.url,
        "author": row.author,
        "mergedAt": moment(row.merged_at),
    }


def incident(row: Incident) -> dict[str, Any]:
    """Return an incident. Needs application, environment, repository, and the cause with its own."""
    return {
        "id": row.pk,
        "title": row.title,
        "app": row.application.name if row.application else None,
        "repository": row.repository.full_name if row.repository else None,
        "environment": row.environment.name if row.environment else None,
        "state": "resolved" if row.resolved_at else "open",
        "startedAt": moment(row.started_at),
        "resolvedAt": moment(row.resolved_at),
        "durationSeconds": row.duration_seconds if row.resolved_at else None,
        "causeDeployment": row.cause_id,
        "causeIsPinned": row.cause_is_pinned,
        "cause": row.cause
        and {
            "id": row.cause.pk,
            "app": row.cause.application.name,
            "environment": row.cause.environment.name,
            "version": row.cause.version,
            "commitHash": row.cause.commit_sha,
            "deployedAt": moment(row.cause.deployed_at),
        },
        "url": row.url,
        "source": row.source,
        "externalId": row.external_id or None,
        "isWithdrawn": row.is_withdrawn,
        "createdAt": moment(row.created_at),
    }


def environment(row: Environment, running: Iterable[tuple[Track, Deployment]]) -> dict[str, Any]:
    """Return an environment with what runs in it. Needs each track's application and repository."""
    return {
        "id": row.pk,
        "name": row.name,
        "production": row.is_production,
        "running": [
            {
                "app": track.application.name,
                "repository": track.application.repository.full_name,
                "deployment": deployment.pk,
                "version": deployment.version,
                "commitHash": deployment.commit_sha,
                "deployedAt": moment(deployment.deployed_at),
                "author": deployment.author,
                "waitingChanges": track.waiting_changes,
                "waitingSince": moment(track.waiting_since),
            }
            for track, deployment in running
        ],
    }


def job_links(request: Request, job: Job) -> dict[str, Any]:
    """Return what can be done with a job, as HAL links."""
    this = absolute(request, reverse("job", args=[job.pk]))
    return {
        "self": {"href": this},
        "delete job": {"href": this, "type": "DELETE"},
        "logs": {"href": f"{this}/logs?sequence=0", "type": "GET"},
        "withdraw job": {"href": f"{this}/stopped", "type": "PUT"},
    }


def receipt(request: Request, job: Job) -> dict[str, Any]:
    """Return what answers an accepted report on /v1."""
    return {"status": 202, "id": str(job.pk), "_links": job_links(request, job)}


def hal_job(request: Request, job: Job) -> dict[str, Any]:
    """Return a job as the HAL API shows it."""
    return {
        "id": str(job.pk),
        "created": moment(job.created_at),
        "type": job.type,
        "maxAttempts": job.max_attempts,
        "attempt": job.attempt,
        "status": job.status,
        "startTime": moment(job.started_at),
        "endTime": moment(job.finished_at),
        "error": job.error or None,
        "deployment": job.deployment_id,
        "_embedded": {"profile": _profile(job)},
        "_links": job_links(request, job),
    }


def _profile(job: Job) -> dict[str, Any]:
    """Return for whom the job runs: the person who made the key, or else the owner of the workspace."""
    key: ApiKey | None = job.api_key
    person = key.created_by if key and key.created_by else None
    if person is None:
        owner = job.workspace.memberships.filter(role=Membership.Role.OWNER).select_related("user").first()
        person = owner.user if owner else None
    email = person.email if person else ""
    return {
        "id": f"key|{key.prefix}" if key else f"user|{person.pk if person else ''}",
        "name": key.name if key else email,
        "handle": f"@{job.workspace.slug}",
        "email": email,
    }


def listed_job(request: Request, job: Job) -> dict[str, Any]:
    """Return a job as GET /v1/jobs lists it."""
    return {
        "id": str(job.pk),
        "createdAt": moment(job.created_at),
        "type": job.type,
        "status": job.status,
        "attempt": job.attempt,
        "maxAttempts": job.max_attempts,
        "error": job.error or None,
        "deployment": job.deployment_id,
        "_links": job_links(request, job),
    }


def refused_request(row: RefusedRequest) -> dict[str, Any]:
    """Return a request that never became a job, in the same list."""
    return {
        "id": None,
        "createdAt": moment(row.created_at),
        "type": "REQUEST",
        "status": "REFUSED",
        "httpStatus": row.http_status,
        "request": f"{row.method} {row.path}",
        "keyPrefix": row.key_prefix,
        "error": row.title,
        "errors": row.errors,
    }
