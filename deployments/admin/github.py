"""What GitHub told, and what people set up so that it does. Secrets are shown to nobody, not to operators either."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from deployments.admin.base import Kept, LargeTable, ReadOnly, report_action
from deployments.models import (
    Backfill,
    DeploymentOrigin,
    DeploymentSecret,
    DeploymentTrigger,
    FormerName,
    GithubConnection,
    GitRef,
    Incident,
    PullRequest,
    PullRequestCommit,
    PullRequestReview,
    Push,
    Release,
)


class _Told(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """What was told, or follows from that."""


class _SetUp(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What people set up on pages that check it. It can be deleted here."""


@admin.register(DeploymentSecret)
class DeploymentSecretAdmin(_SetUp):
    """Secrets, without their texts."""

    list_display = ["created_at", "workspace", "expires_at", "last_used_at"]
    list_filter = [("expires_at", admin.EmptyFieldListFilter), "workspace"]
    list_select_related = ["workspace"]
    fields = ["workspace", "created_at", "expires_at", "last_used_at"]
    actions = ["end_now"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeploymentSecret]:
        """Leave out what is secret: a row is shown even where it can no longer be read."""
        return super().get_queryset(request).defer("secret")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Ending is the operator's, although the rows are not edited."""
        return request.user.has_perm("deployments.change_deploymentsecret")

    @admin.action(description="End now: deliveries signed with it are refused", permissions=["end"])
    def end_now(self, request: HttpRequest, rows: QuerySet[DeploymentSecret]) -> None:
        """End the time of secrets at once, as after one was disclosed."""
        now = timezone.now()
        usable = DeploymentSecret.objects.usable(now).filter(pk__in=rows.values("pk"))
        done = DeploymentSecret.objects.filter(pk__in=list(usable.values_list("pk", flat=True))).update(
            expires_at=now
        )
        report_action(self, request, done, "secrets ended")


@admin.register(GithubConnection)
class GithubConnectionAdmin(_SetUp):
    """Connections, without their tokens and keys."""

    list_display = ["workspace", "kind", "base_url", "repositories", "used_at", "error"]
    list_filter = ["kind", ("error", admin.EmptyFieldListFilter), "workspace"]
    list_select_related = ["workspace"]
    fields = [
        "workspace", "kind", "base_url", "repositories", "app_id", "installation_id", "created_at", "used_at",
        "error",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[GithubConnection]:
        """Leave out what is secret, as above."""
        return super().get_queryset(request).defer("token", "private_key")


@admin.register(DeploymentTrigger)
class DeploymentTriggerAdmin(_SetUp):
    list_display = ["application", "kind", "pattern", "environment", "branch", "includes_prereleases"]
    list_filter = ["kind", "application__workspace"]
    list_select_related = ["application", "environment"]
    search_fields = ["application__name", "pattern"]


@admin.register(FormerName)
class FormerNameAdmin(_Told):
    list_display = ["full_name_key", "repository", "workspace"]
    list_select_related = ["repository", "workspace"]
    search_fields: ClassVar[list[str]] = ["full_name_key__startswith"]


@admin.register(Push)
class PushAdmin(_Told):
    list_display = ["pushed_at", "repository", "ref", "before", "after", "is_forced", "is_truncated"]
    list_filter = ["is_forced", "is_truncated"]
    list_select_related = ["repository"]
    search_fields: ClassVar[list[str]] = ["after__startswith", "repository__full_name"]
    search_help_text = "The beginning of a hash, or the name of a repository."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Push]:
        """Leave out the lists of commits, which can be long, until a single push is shown."""
        return super().get_queryset(request).defer("commits", "known_before")


@admin.register(GitRef)
class GitRefAdmin(_Told):
    list_display = ["name", "repository", "sha", "moved_at", "is_deleted"]
    list_filter = ["is_deleted"]
    list_select_related = ["repository"]
    search_fields: ClassVar[list[str]] = ["name__startswith", "repository__full_name"]
    search_help_text = "The beginning of a name in full (refs/tags/v1), or the name of a repository."


@admin.register(Release)
class ReleaseAdmin(_Told):
    list_display = ["tag_name", "repository", "is_prerelease", "author", "published_at"]
    list_filter = ["is_prerelease"]
    list_select_related = ["repository"]
    search_fields: ClassVar[list[str]] = ["tag_name__startswith", "repository__full_name"]


@admin.register(PullRequest)
class PullRequestAdmin(_Told):
    list_display = ["number", "repository", "title", "author", "state", "merged_at", "changes_pending"]
    list_filter = ["state", "author_is_bot", "changes_pending"]
    list_select_related = ["repository"]
    search_fields: ClassVar[list[str]] = ["=number", "repository__full_name"]
    search_help_text = "A number, or the name of a repository."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PullRequest], search_term: str
    ) -> tuple[QuerySet[PullRequest], bool]:
        """Find `12`, `#12` and `acme/web#12`."""
        name, _, number = search_term.strip().rpartition("#")
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            return super().get_search_results(request, queryset, search_term)
        found = queryset.filter(number=int(number))
        return (found.filter(repository__full_name__iexact=name.strip()) if name else found), False


@admin.register(PullRequestReview)
class PullRequestReviewAdmin(_Told):
    list_display = ["submitted_at", "pull_request", "author", "state", "author_is_bot"]
    list_filter = ["author_is_bot"]
    list_select_related = ["pull_request"]


@admin.register(PullRequestCommit)
class PullRequestCommitAdmin(_Told):
    list_display = ["sha", "repository", "pull_request", "role", "is_stated"]
    list_filter = ["role", "is_stated"]
    list_select_related = ["repository", "pull_request"]
    search_fields: ClassVar[list[str]] = ["sha__startswith"]
    search_help_text = "The beginning of a hash."


@admin.register(DeploymentOrigin)
class DeploymentOriginAdmin(_Told):
    """From where deployments were heard of."""

    list_display = ["external_id", "source", "application", "deployment", "version", "reached_at"]
    list_filter = ["source"]
    list_select_related = ["application", "deployment"]
    search_fields: ClassVar[list[str]] = ["external_id__startswith", "version__startswith"]
    search_help_text = "The beginning of GitHub's id, or of a version."


@admin.register(Incident)
class IncidentAdmin(_Told):
    list_display = [
        "title", "workspace", "source", "application", "environment", "started_at", "resolved_at", "cause",
        "cause_is_pinned", "cause_pending", "is_withdrawn",
    ]  # fmt: skip
    list_filter = [
        "source",
        ("resolved_at", admin.EmptyFieldListFilter),
        ("cause", admin.EmptyFieldListFilter),
        "cause_is_pinned",
        "cause_pending",
        "is_withdrawn",
        "workspace",
    ]
    list_select_related = ["workspace", "application", "environment", "cause"]
    search_fields: ClassVar[list[str]] = ["title", "external_id"]
    search_help_text = "A part of the title, or of the id that its monitor or GitHub gave it."
    raw_id_fields = ["workspace", "repository", "application", "environment", "cause", "created_by"]


@admin.register(Backfill)
class BackfillAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """How far the reading of the past has come. Deleting a row lets it be read anew."""

    list_display = ["repository", "what", "since", "until", "done_down_to", "read", "finished_at"]
    list_filter = ["what", ("finished_at", admin.EmptyFieldListFilter)]
    list_select_related = ["repository"]
    search_fields: ClassVar[list[Any]] = ["repository__full_name"]
