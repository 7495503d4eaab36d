"""What the document says of incidents."""

from typing import Any

from drf_spectacular.utils import extend_schema

from deployments.api.incident_body import IncidentReportSerializer
from deployments.api.openapi import answers
from deployments.api.openapi.json_schema import boolean, choice, component, text
from deployments.api.openapi.parts import (
    APP,
    CURSOR,
    ENVIRONMENT,
    FROM,
    INCIDENTS,
    LIMIT,
    NOTHING,
    REPOSITORY,
    TO,
    answer,
    answer_header,
    json,
    query,
    sent,
    several,
)
from deployments.api.openapi.problems import CONFLICT

_EXAMPLE = {
    "title": "Checkout is down",
    "app": "backend-api",
    "environment": "production",
    "startedAt": "2026-03-02T12:30:00Z",
    "externalId": "PD-123",
}

OPERATIONS: dict[str, dict[str, Any]] = {
    "v1-incidents": {
        "post": extend_schema(
            operation_id="openIncident",
            tags=[INCIDENTS],
            summary="Open an incident",
            description="With an `externalId` that is known it changes that incident: what the body says is taken,"
            " what it leaves out stays. So a monitor may repeat itself, and resolve by sending `resolvedAt`. `app`"
            " and `environment` must be known, and are the cause's where `causeDeployment` is an id.",
            parameters=[answer_header("Location", text(format="uri"), "The address of the incident.", 200, 201)],
            request=json(IncidentReportSerializer, sent("An incident", _EXAMPLE)),
            responses={
                201: answer(answers.INCIDENT, "A new incident."),
                200: answer(answers.INCIDENT, "The incident of this external id."),
            },
        ),
        "get": extend_schema(
            operation_id="listIncidents",
            tags=[INCIDENTS],
            summary="List incidents, the latest first",
            parameters=[
                APP,
                ENVIRONMENT,
                REPOSITORY,
                several("state", "States.", choice(["open", "resolved"])),
                FROM,
                TO,
                query("withdrawn", boolean(), "Those that were withdrawn instead."),
                LIMIT,
                CURSOR,
            ],
            responses={200: answer(component("Incidents", answers.page_of(answers.INCIDENT)), "A page.")},
        ),
    },
    "v1-incident": {
        "get": extend_schema(
            operation_id="getIncident",
            tags=[INCIDENTS],
            summary="An incident",
            responses={200: answer(answers.INCIDENT, "The incident.")},
        ),
        "patch": extend_schema(
            operation_id="changeIncident",
            tags=[INCIDENTS],
            summary="Change, resolve or reopen an incident",
            description='Changes the fields that the body has. `"resolvedAt": null` reopens it; `"causeDeployment":'
            ' null` says that no deployment caused it, and `"auto"` leaves it to the rules again; `null` takes `url`,'
            " `app` and `environment` away. `externalId` cannot be changed. What `GET` answered can be sent back.",
            request=json(IncidentReportSerializer, sent("Resolved", {"resolvedAt": "2026-03-02T13:10:00Z"})),
            responses={200: answer(answers.INCIDENT, "The incident.")},
        ),
        "delete": extend_schema(
            operation_id="withdrawIncident",
            tags=[INCIDENTS],
            summary="Withdraw an incident",
            description="It was none, causes nothing, and is kept. Of a GitHub issue, its label decides that: 409.",
            responses={204: NOTHING, **CONFLICT},
        ),
    },
    "v1-incident-restore": {
        "post": extend_schema(
            operation_id="restoreIncident",
            tags=[INCIDENTS],
            summary="Bring a withdrawn incident back",
            request=None,
            responses={200: answer(answers.INCIDENT, "The incident."), **CONFLICT},
        ),
    },
}
