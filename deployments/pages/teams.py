"""Teams: which applications and which people are whose."""

from collections.abc import Iterable, Iterator

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from deployments.csv_files import csv_answer
from deployments.models import Team, Workspace
from deployments.settings_forms import TeamForm
from deployments.teams import people_without_team


def team_list(request: HttpRequest) -> HttpResponseBase:
    """List the teams."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    teams = workspace.teams.prefetch_related("applications__repository", "people")
    if request.GET.get("format") == "csv":
        return csv_answer("teams", ["team", "kind", "member", "repository"], _members(teams))
    context = {"teams": teams, "people_without_team": people_without_team(workspace)}
    return render(request, "deployments/team_list.html", context)


def _members(teams: Iterable[Team]) -> Iterator[list[object]]:
    """Return a row for each application, and for each of the people."""
    for team in teams:
        for application in team.applications.all():
            yield [team.name, "application", application.name, application.repository.full_name]
        for person in team.people.all():
            yield [team.name, "person", person.name, None]


def add(request: HttpRequest) -> HttpResponse:
    """Add a team."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    return _edit(request, Team(workspace=workspace))


def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a team, and change it."""
    return _edit(request, _team(request, pk))


def _edit(request: HttpRequest, team: Team) -> HttpResponse:
    form = TeamForm(request.POST or None, instance=team)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, f"“{team.name}” is saved.")
        return redirect("deployments:teams")
    context = {"form": form, "team": team, "suggestions": people_without_team(team.workspace)}
    return render(request, "deployments/team.html", context)


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a team. What its applications deployed stays."""
    team = _team(request, pk)
    team.delete()
    messages.success(request, f"“{team.name}” is removed.")
    return redirect("deployments:teams")


def _team(request: HttpRequest, pk: int) -> Team:
    return get_object_or_404(Team, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
