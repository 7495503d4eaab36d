"""The teams, on /v1."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.base import ApiView
from deployments.models import Scope, Team


class Teams(ApiView):
    """GET lists the teams."""

    required_scopes = {"GET": [Scope.METRICS_READ]}

    def get(self, request: Request) -> Response:
        teams = self.workspace.teams.prefetch_related("applications__repository", "people")
        return Response({"results": [_show(row) for row in teams]})


def _show(row: Team) -> dict[str, Any]:
    return {
        "name": row.name,
        "applications": [{"app": one.name, "repository": one.repository.full_name} for one in row.applications.all()],
        "people": [person.name for person in row.people.all()],
    }
