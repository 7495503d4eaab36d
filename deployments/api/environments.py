"""GET /v1/environments: what runs where, since when, and how many changes wait behind it."""

from collections import defaultdict

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import representations
from deployments.api.base import ApiView
from deployments.api.filters import filter_tracks
from deployments.models import Deployment, Environment, Scope, Track


class Environments(ApiView):
    """GET lists the environments, each with what runs in it."""

    required_scopes: dict[str, list[str]] = {"GET": [Scope.DEPLOYMENTS_READ]}

    def get(self, request: Request) -> Response:
        rows = Environment.objects.filter(workspace=self.workspace)
        environments, tracks = filter_tracks(rows, Track.objects.all(), request)
        running = _running(environments, tracks)
        shown = [representations.environment(row, running[row.pk]) for row in environments]
        if any(request.query_params.get(name) for name in ("app", "repository")):
            shown = [row for row in shown if row["running"]]
        return Response({"results": shown})


def _running(
    environments: QuerySet[Environment], tracks: QuerySet[Track]
) -> dict[int, list[tuple[Track, Deployment]]]:
    """Return by environment what runs on each of the tracks, in the order of the applications' names."""
    tracks = tracks.filter(environment__in=environments)
    of_track = {row.track_id: row for row in Deployment.objects.running_on(tracks)}
    found: dict[int, list[tuple[Track, Deployment]]] = defaultdict(list)
    for track in tracks.select_related("application__repository").order_by("application__name", "pk"):
        if track.pk in of_track:
            found[track.environment_id].append((track, of_track[track.pk]))
    return found
