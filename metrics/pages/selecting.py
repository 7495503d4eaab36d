"""What a page is about, by its address: the selection, another one beside it, and the form that changes them."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict

from deployments.models import Application, Environment, Repository, Team, Workspace
from metrics.periods import Interval
from metrics.selections import PRESETS, InvalidSelection, Selection, read_selection

# Parameters of the other selection begin so; what it does not say is as in the first.
OTHER = "vs."
_PLACES = ("environment", "app", "repository", "team", "author", "bots")
_TIMES = ("period", "from", "to")


def chosen(request: HttpRequest) -> tuple[Selection, dict[str, str]]:
    """Return the selection of the address; where parts of it are wrong, one without them, and what was wrong."""
    return _without_faults(_workspace(request), request.GET)


def _workspace(request: HttpRequest) -> Workspace:
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    return workspace


def _without_faults(workspace: Workspace, query: QueryDict) -> tuple[Selection, dict[str, str]]:
    try:
        return read_selection(workspace, query), {}
    except InvalidSelection as error:
        kept = query.copy()
        for name in error.errors:
            kept.pop(name, None)
        try:
            return read_selection(workspace, kept), error.errors
        except InvalidSelection:
            return read_selection(workspace, QueryDict()), error.errors


def compared(request: HttpRequest, first: Selection) -> tuple[Selection | None, dict[str, str]]:
    """Return the other selection of the address, if there is one, and what is wrong with it."""
    said = {name.removeprefix(OTHER): values for name, values in request.GET.lists() if name.startswith(OTHER)}
    said = {name: kept for name, values in said.items() if (kept := [value for value in values if value.strip()])}
    if not said:
        return None, {}
    query = QueryDict(mutable=True)
    for name in (*_PLACES, *_TIMES):
        # A time of its own replaces all that the first says of time.
        inherited = [] if name in _TIMES and said.keys() & set(_TIMES) else request.GET.getlist(name)
        query.setlist(name, said.get(name, inherited))
    query["interval"] = first.interval.value
    selection, errors = _without_faults(first.workspace, query)
    return selection, {OTHER + name: text for name, text in errors.items()}


def in_words(selection: Selection) -> str:
    """Return what a selection is about, apart from its period."""
    named = [*selection.applications, *selection.repositories, *selection.teams]
    parts = [str(row) for row in named] + [f"by {name}" for name in selection.authors]
    places = ", ".join(environment.name for environment in selection.environments) or "no production environment"
    return " · ".join([*parts, places])


def address_of(selection: Selection, **changed: object) -> str:
    """Return the query string that selects the same; `changed` replaces parameters, and None leaves one out."""
    pairs: list[tuple[str, object]] = [(name, value) for name, value in _pairs(selection) if name not in changed]
    pairs += [(name, value) for name, value in changed.items() if value is not None]
    return urlencode(pairs)


def _pairs(selection: Selection) -> Iterable[tuple[str, str]]:
    if selection.preset:
        yield "period", selection.preset
    else:
        yield "from", selection.period.first.isoformat()
        yield "to", selection.period.last.isoformat()
    yield "interval", selection.interval.value
    for environment in selection.environments:
        yield "environment", environment.name
    for application in selection.applications:
        yield "app", application.name
    for repository in selection.repositories:
        yield "repository", repository.full_name
    for team in selection.teams:
        yield "team", team.name
    for author in selection.authors:
        yield "author", author
    if selection.bots != "apart":
        yield "bots", selection.bots


def filter_form(request: HttpRequest, selection: Selection, errors: dict[str, str]) -> dict[str, Any]:
    """Return what the form above the charts offers."""
    workspace = selection.workspace
    return {
        "selection": selection,
        "errors": errors,
        "presets": PRESETS.items(),
        "intervals": list(Interval),
        "environments": Environment.objects.filter(workspace=workspace).values_list("name", flat=True),
        "applications": Application.objects.filter(workspace=workspace).values_list("name", flat=True).distinct(),
        "repositories": Repository.objects.filter(workspace=workspace).values_list("full_name", flat=True),
        "teams": Team.objects.filter(workspace=workspace).values_list("name", flat=True),
        "other": {name: request.GET.get(OTHER + name, "") for name in (*_PLACES, "from", "to")},
        "address": address_of(selection),
    }
