"""Accepted requests and what became of them, refused ones, and the counters of the rate limit."""

import datetime
import json
import time
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator

from deployments import jobs
from deployments.admin.base import LargeTable, ReadOnly, report_action, ring_bell_after_commit
from deployments.models import Job, JobStatus, RateLimitWindow, RefusedRequest

_STUCK_AFTER = datetime.timedelta(minutes=5)
# A report with 5,000 commits has some MiB, which no browser shows with pleasure.
_PAYLOAD_SHOWN = 20_000


class JobTroubleFilter(admin.SimpleListFilter):
    """What an operator looks for when deployments do not show up."""

    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("failed", "failed for good"),
            ("retrying", "waiting for another attempt"),
            ("stuck", "stuck"),
            ("killing", "lost workers"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        late = timezone.now() - _STUCK_AFTER
        conditions = {
            "failed": Q(status=JobStatus.ERROR),
            "retrying": Q(status=JobStatus.QUEUED, attempt__gt=0),
            # Long due and not begun, or begun by a worker that has said nothing for long.
            "stuck": Q(status=JobStatus.QUEUED, available_at__lt=late)
            | Q(status=JobStatus.RUNNING, claimed_until__lt=late),
            "killing": Q(workers_lost__gt=0),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Job)
class JobAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = [
        "created_at", "type", "event", "status", "reason", "attempt", "workspace", "api_key", "deployment",
        "finished_at",
    ]  # fmt: skip
    list_filter = [JobTroubleFilter, "status", "type", "workspace"]
    list_select_related = ["workspace", "api_key", "deployment"]
    search_fields = ["idempotency_key__startswith", "error"]
    search_help_text = "The id of a job, the beginning of an idempotency key, or what an error says."
    fields = [
        "id", "workspace", "api_key", "type", "event", "repository_name", "status", "attempt", "max_attempts",
        "created_at", "available_at",
        "started_at", "finished_at", "claimed_by", "claimed_until", "workers_lost", "stop_requested",
        "idempotency_key", "error", "deployment", "shown_log", "shown_payload",
    ]  # fmt: skip
    readonly_fields = ["shown_log", "shown_payload"]
    actions = ["run_again", "withdraw"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer("payload", "log")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Find a job by its id at once; anything else is looked for in texts."""
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Running again is the operator's, although the rows are not edited."""
        return request.user.has_perm("deployments.change_job")

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """A job that has not ended is withdrawn first, as over the API."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.has_ended)

    @admin.display(description="error")
    def reason(self, job: Job) -> str:
        """Why it failed, in the width of a column."""
        return Truncator(job.error).chars(100)

    @admin.display(description="payload")
    def shown_payload(self, job: Job) -> str:
        """The report, readable; a long one is cut."""
        text = json.dumps(job.payload, indent=2, ensure_ascii=False)
        more = f"\n… and {len(text) - _PAYLOAD_SHOWN:,} characters more" if len(text) > _PAYLOAD_SHOWN else ""
        return format_html("<pre>{}{}</pre>", text[:_PAYLOAD_SHOWN], more)

    @admin.display(description="log")
    def shown_log(self, job: Job) -> str:
        """What happened to it."""
        return format_html("<pre>{}</pre>", job.log)

    @admin.action(description="Run again", permissions=["work"])
    def run_again(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        """Queue jobs that failed or were stopped once more."""
        done = sum(jobs.run_again(job) for job in rows)
        ring_bell_after_commit()
        report_action(self, request, done, "jobs queued once more")

    @admin.action(description="Withdraw", permissions=["work"])
    def withdraw(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        """Stop jobs that have not ended."""
        done = sum(jobs.withdraw(job) for job in rows)
        report_action(self, request, done, "jobs withdrawn")


class RefusalFilter(admin.SimpleListFilter):
    """Why requests were refused. The reasons are named here: asking the table which it has would read all of it."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("401", "not authenticated (401)"),
            ("403", "key without the scope (403)"),
            ("422", "fields at fault (422)"),
            ("429", "rate limit (429)"),
            ("other", "anything else"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "other":
            return queryset.exclude(http_status__in=[401, 403, 422, 429])
        return queryset.filter(http_status=int(self.value() or 0)) if self.value() in self._named() else queryset

    def _named(self) -> list[str]:
        return [str(value) for value, _ in self.lookup_choices]


@admin.register(RefusedRequest)
class RefusedRequestAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = ["created_at", "http_status", "method", "path", "workspace", "key_prefix", "address", "title"]
    list_filter = [RefusalFilter, "workspace"]
    list_select_related = ["workspace"]
    search_fields = ["key_prefix__startswith", "address__startswith", "path__startswith"]
    search_help_text = "The beginning of a key's prefix, of an address or of a path."


@admin.register(RateLimitWindow)
class RateLimitWindowAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What the rate limit has counted where no Redis does. Deleting a counter gives its key a new window."""

    list_display = ["key", "hits", "ends_at", "is_over"]
    search_fields = ["key"]
    ordering = ["-hits"]

    @admin.display(description="window ends", ordering="expires_at")
    def ends_at(self, window: RateLimitWindow) -> datetime.datetime:
        """When counting begins anew."""
        return datetime.datetime.fromtimestamp(window.expires_at, datetime.UTC)

    @admin.display(description="over", boolean=True)
    def is_over(self, window: RateLimitWindow) -> bool:
        """Whether it counts no more."""
        return window.expires_at <= time.time()
