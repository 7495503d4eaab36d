"""The API of incidents on /v1: monitors and people open, change, resolve and read them."""

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import incidents
from deployments.api import representations
from deployments.api.base import ApiView
from deployments.api.filters import filter_incidents, flag
from deployments.api.incident_body import ends_before_it_began, read_changes, read_new_incident
from deployments.api.pagination import NewestFirst
from deployments.api.problems import Conflict
from deployments.models import Incident, Scope
from deployments.tasks import ring_bell

_WRITE: list[str] = [Scope.INCIDENTS_WRITE]
_READ: list[str] = [Scope.INCIDENTS_READ]


class _NewestFirst(NewestFirst):
    ordering = ("-started_at", "-id")


class _IncidentView(ApiView):
    def rows(self) -> QuerySet[Incident]:
        """Return the incidents of the workspace with what is shown of them."""
        return Incident.objects.filter(workspace=self.workspace).select_related(
            "application__repository", "environment", "repository", "cause__application", "cause__environment"
        )

    def shown(self, row: Incident) -> dict[str, object]:
        """Return an incident as it is now."""
        return representations.incident(self.rows().get(pk=row.pk))


class Incidents(_IncidentView):
    """POST opens an incident, or changes the one with the same external id; GET lists them."""

    required_scopes = {"GET": _READ, "POST": _WRITE}

    def post(self, request: Request) -> Response:
        external_id, facts = read_new_incident(self.json_body(), self.workspace)
        try:
            row, is_new = incidents.open_incident(
                self.workspace, external_id=external_id, created_by=self.api_key.created_by, **facts
            )
        except incidents.EndsBeforeItBegan as error:
            raise _refused() from error
        ring_bell()
        location = representations.absolute(request, reverse("v1-incident", args=[row.pk]))
        return Response(self.shown(row), status=201 if is_new else 200, headers={"Location": location})

    def get(self, request: Request) -> Response:
        rows = self.rows().filter(is_withdrawn=flag(request, "withdrawn"))
        pages = _NewestFirst()
        page = pages.paginate_queryset(filter_incidents(rows, request, self.workspace.zone), request, self)
        return pages.get_paginated_response([representations.incident(row) for row in page or ()])


class _OneIncident(_IncidentView):
    def incident(self, id: int) -> Incident:  # the route's word
        """Return the incident of this id, if it is this workspace's. Raises Http404."""
        row = self.rows().filter(pk=id).first() if id < 2**63 else None
        if row is None:
            raise Http404
        return row


class IncidentDetail(_OneIncident):
    """GET shows an incident, PATCH changes it, DELETE withdraws it."""

    required_scopes = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}

    def get(self, request: Request, id: int) -> Response:
        return Response(representations.incident(self.incident(id)))

    def patch(self, request: Request, id: int) -> Response:
        row = self.incident(id)
        try:
            incidents.change_incident(row, **read_changes(self.json_body(), self.workspace, row))
        except incidents.EndsBeforeItBegan as error:
            raise _refused() from error
        ring_bell()
        return Response(self.shown(row))

    def delete(self, request: Request, id: int) -> Response:
        try:
            incidents.withdraw(self.incident(id))
        except incidents.IssueDecides as error:
            raise Conflict("The GitHub issue decides whether it is an incident: take the label off it.") from error
        ring_bell()
        return Response(status=204)


class IncidentRestore(_OneIncident):
    """POST brings a withdrawn incident back."""

    required_scopes = {"POST": _WRITE}

    def post(self, request: Request, id: int) -> Response:
        row = self.incident(id)
        try:
            incidents.restore(row)
        except incidents.IssueDecides as error:
            raise Conflict("The GitHub issue decides whether it is an incident: label it.") from error
        ring_bell()
        return Response(self.shown(row))


def _refused() -> serializers.ValidationError:
    return serializers.ValidationError({"resolvedAt": ends_before_it_began().detail})
