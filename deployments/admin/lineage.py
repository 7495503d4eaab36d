"""Commits, and which deployment brought which of them. All of it is told or worked out, none of it entered."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from deployments.admin.base import Kept, LargeTable, ReadOnly
from deployments.models import Change, Commit, HistoryGap, MissingParent, ShippedCommit


class _Derived(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """What follows from other rows."""


@admin.register(Commit)
class CommitAdmin(_Derived):
    list_display = ["short_sha", "repository", "author", "authored_at", "committed_at", "subject"]
    list_filter = ["parents_are_inferred", ("parents", admin.EmptyFieldListFilter)]
    list_select_related = ["repository"]
    search_fields = ["sha__startswith"]
    search_help_text = "The beginning of a hash."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Commit]:
        """Leave out the list of files, which can be long, until a single commit is shown."""
        return super().get_queryset(request).defer("files")


@admin.register(Change)
class ChangeAdmin(_Derived):
    list_display = ["commit", "deployment", "started_at", "lead_time_seconds", "clock_was_ahead", "files_are_unknown"]
    list_filter = ["clock_was_ahead", "files_are_unknown"]
    list_select_related = ["commit", "deployment"]
    search_fields = ["commit__sha__startswith"]
    search_help_text = "The beginning of a commit's hash."


@admin.register(ShippedCommit)
class ShippedCommitAdmin(_Derived):
    list_display = ["commit", "outcome", "deployment", "track"]
    list_filter = ["outcome"]
    list_select_related = ["commit", "deployment", "track__application", "track__environment"]
    search_fields = ["commit__sha__startswith"]
    search_help_text = "The beginning of a commit's hash."


@admin.register(HistoryGap)
class HistoryGapAdmin(_Derived):
    """Which commits nobody told of, and which deployments wait for them."""

    list_display = ["sha", "repository", "deployment", "concerns_kind_only"]
    list_filter = ["concerns_kind_only"]
    list_select_related = ["repository", "deployment"]
    search_fields: ClassVar[list[str]] = ["sha__startswith", "repository__full_name"]
    search_help_text = "The beginning of a hash, or the name of a repository."


@admin.register(MissingParent)
class MissingParentAdmin(_Derived):
    list_display = ["sha", "repository", "child"]
    list_select_related = ["repository", "child"]
    search_fields: ClassVar[list[str]] = ["sha__startswith", "repository__full_name"]
    search_help_text = "The beginning of a hash, or the name of a repository."
