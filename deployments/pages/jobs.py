"""Jobs, and the requests that were refused: where people look when nothing arrives."""

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from deployments import jobs
from deployments.csv_files import csv_answer
from deployments.models import Job, JobType, RefusedRequest
from deployments.models.jobs import JobStatus
from deployments.tasks import ring_bell

_CSV_COLUMNS = [
    "id",
    "acceptedAt",
    "type",
    "status",
    "attempts",
    "finishedAt",
    "deployment",
    "version",
    "from",
    "error",
]


def job_list(request: HttpRequest) -> HttpResponseBase:
    """List the latest jobs and refused requests."""
    workspace = request.workspace  # type: ignore[attr-defined]
    status = request.GET.get("status", "")
    rows = Job.objects.for_lists().filter(workspace=workspace).select_related("api_key", "deployment")
    if status in JobStatus.values:
        rows = rows.filter(status=status)
    if request.GET.get("format") == "csv":
        return csv_answer("jobs", _CSV_COLUMNS, map(_csv_row, rows.order_by("-created_at").iterator()))
    context = {
        "jobs": list(rows.order_by("-created_at")[:100]),
        "refused": list(RefusedRequest.objects.filter(workspace=workspace).order_by("-created_at")[:50]),
        "status": status,
        "statuses": JobStatus.values,
    }
    return render(request, "deployments/job_list.html", context)


def _csv_row(job: Job) -> list[object]:
    sender = job.api_key.name if job.api_key else f"GitHub: {job.event}" if job.event else ""
    return [
        job.id, job.created_at.isoformat(), job.type, job.status, job.attempt,
        job.finished_at and job.finished_at.isoformat(), job.deployment_id,
        job.deployment.version if job.deployment else None, sender, job.error,
    ]  # fmt: skip


def job_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a job with its log and what was sent."""
    jobs_ = Job.objects.select_related("api_key", "deployment")
    job = get_object_or_404(jobs_, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
    payload = json.dumps(job.payload, indent=2, ensure_ascii=False)
    context = {
        "job": job,
        "is_delivery": job.type == JobType.GITHUB_WEBHOOK,
        "payload": payload[:20_000],
        "payload_is_cut": len(payload) > 20_000,
    }
    return render(request, "deployments/job_detail.html", context)


@require_POST
def run_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Queue a job that failed or was withdrawn once more."""
    job = get_object_or_404(Job, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
    if jobs.run_again(job):
        ring_bell()
        messages.success(request, "Queued once more.")
    return redirect("deployments:job", pk)


@require_POST
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Withdraw a job."""
    job = get_object_or_404(Job, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
    if not jobs.withdraw(job):
        messages.error(request, "The job has ended already.")
    return redirect("deployments:job", pk)
