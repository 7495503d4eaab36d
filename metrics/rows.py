"""The rows behind the numbers, as querysets: what explanations and lists show."""

from typing import Any

from django.db.models import DurationField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf

from deployments.models import Change, ChangeKind, Deployment
from deployments.models.deployments import DeploymentQuerySet
from metrics.selections import Selection

# Who wrote a change: of a pull request whoever opened it, where that is known.
_AUTHOR = Coalesce(NullIf("pull_request__author", Value("")), "commit__author")


def deployments(selection: Selection) -> DeploymentQuerySet:
    """Return the deployments that a selection is about and that reached their environment, at whatever time."""
    return _of(selection, Deployment.objects.reached())


def failed_attempts(selection: Selection) -> DeploymentQuerySet:
    """Return the deployments that ended as failure or error, as far as the rules count them, at whatever time."""
    return _of(selection, Deployment.objects.live().filter(reached_environment=False, has_failed=True))


def failures(selection: Selection) -> DeploymentQuerySet:
    """Return the deployments that failed, whether they reached their environment or not, at whatever time."""
    # Its workspace is said, too: that is how the index of failures begins.
    return _of(selection, Deployment.objects.live().filter(workspace=selection.workspace, has_failed=True))


def everything(selection: Selection) -> DeploymentQuerySet:
    """Return all deployments of the selection's places, whatever became of them, at whatever time."""
    return _of(selection, Deployment.objects.all())


def changes(selection: Selection) -> "QuerySet[Change]":
    """Return what was shipped during the selection's period, bots' changes included, with its `author_name`."""
    rows = shipped(selection)
    rows = rows.annotate(author_name=_AUTHOR)
    if selection.authors:
        rows = rows.filter(_any_of("author_name", selection.authors))
    return rows


def shipped(selection: Selection) -> "QuerySet[Change]":
    """Return what was shipped during the selection's period by whomever, without looking at who that was."""
    bringing = _places(selection, Deployment.objects.reached()).during(selection.period.start, selection.period.end)
    return Change.objects.filter(deployment__in=bringing.filter(changes_count__gt=0))


def _of(selection: Selection, rows: DeploymentQuerySet) -> DeploymentQuerySet:
    rows = _places(selection, rows)
    return rows.filter(_any_of("author", selection.authors)) if selection.authors else rows


def _any_of(column: str, names: list[str]) -> Q:
    return Q(*(Q((f"{column}__iexact", name)) for name in names), _connector=Q.OR)


def _places(selection: Selection, rows: DeploymentQuerySet) -> DeploymentQuerySet:
    rows = rows.filter(environment__in=selection.environments)
    if selection.applications:
        rows = rows.filter(application__in=selection.applications)
    if selection.repositories:
        rows = rows.filter(application__repository__in=selection.repositories)
    if selection.teams:
        people = [name for team in selection.teams for name in team.people.values_list("name", flat=True)]
        of_people = Q(application__teams=None) & _any_of("author", people) if people else Q(pk=None)
        rows = rows.filter(Q(application__teams__in=selection.teams) | of_people).distinct()
    return rows


def is_by_a_bot(selection: Selection) -> Q:
    """Return what tells the changes that bots wrote, of rows with their `author_name`."""
    named = [Q(author_name__iexact=name) for name in selection.workspace.bot_names]
    return Q(Q(pull_request__author_is_bot=True), Q(author_name__endswith="[bot]"), *named, _connector=Q.OR)


def kind_is_redeploy() -> Q:
    """Return what tells a redeploy that is left out of the frequency."""
    return Q(change_kind=ChangeKind.REDEPLOY, has_failed=False, is_rework=False)


def time_of_recovery() -> "ExpressionWrapper[Any]":
    """Return how long a repaired failure lasted."""
    return ExpressionWrapper(F("repaired_at") - F("deployed_at"), output_field=DurationField())
