"""Generates the OpenAPI document: from the routes, from what views say of themselves, and from `operations`."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_view
from rest_framework.views import APIView

from deployments.api.base import ApiView
from deployments.api.openapi.json_schema import (
    COMPONENTS,
    PATHS,
    Schema,
    choice,
    integer,
    list_of,
    moment,
    nullable,
    record,
    text,
)
from deployments.api.openapi.parts import TAGS
from deployments.api.openapi.problems import RATE_LIMIT, RESPONSES
from deployments.models import WebhookEvent
from deployments.models.deployments import REPORTABLE_STATES

_OTHER_ADDRESSES = "/api/v3"  # GitHub documents what is served there
_KEY = "apiKey"
_BODY_MAY_BE_LEFT_OUT = {"deployWorkspace", "deliverGithubEvent"}


def described(view: type[APIView], operations: dict[str, Any]) -> type[APIView]:
    """Give the methods of a view what the document says of them."""
    return extend_schema_view(**operations)(view)


@cache
def document() -> Schema:
    """Return the OpenAPI document."""
    found: Schema = SchemaGenerator().get_schema(request=None, public=True)
    return found


class ApiSchema(AutoSchema):
    """Adds to an operation what follows from its view: errors, headers."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        answers = {int(code): answer for code, answer in operation["responses"].items()}
        if isinstance(self.view, ApiView):
            for answer in answers.values():
                answer["headers"] = {**answer.get("headers", {}), **RATE_LIMIT}
        if "requestBody" in operation and operation["operationId"] not in _BODY_MAY_BE_LEFT_OUT:
            operation["requestBody"]["required"] = True
        errors = {code: RESPONSES[code] for code in self._errors(operation)}
        operation["responses"] = {str(code): answer for code, answer in sorted({**errors, **answers}.items())}
        return operation

    def _errors(self, operation: Schema) -> Iterator[int]:
        """Yield the statuses of the errors that every operation of its kind can answer."""
        yield from (400, 503)
        places = {one["in"] for one in operation.get("parameters", [])}
        if "path" in places:
            yield 404
        if "requestBody" in operation:
            yield from (413, 415)
        if isinstance(self.view, ApiView):
            yield from (401, 403, 429)
            if "requestBody" in operation or places - {"path"}:
                yield 422


class BearerKey(OpenApiAuthenticationExtension):
    """The API key, with the scopes of which an operation needs one."""

    target_class = "deployments.api.authentication.ApiKeyAuthentication"
    name = _KEY

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key of a workspace, made under Settings → API keys. What an operation lists are"
            " scopes; a key with one of them may use it.",
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        scopes = getattr(auto_schema.view, "required_scopes", {}).get(auto_schema.method, [])
        return [{_KEY: [str(scope)]} for scope in scopes] or [{_KEY: []}]


_SHA = text(minLength=1, maxLength=70, pattern=r"^\s*\S+\s*$")
_COMMIT_TIME = {"type": ["string", "null"], "format": "date-time"}
_COMMIT = record(
    {
        "sha": _SHA,
        "parents": {"type": ["array", "null"], "items": _SHA},
        "authoredAt": _COMMIT_TIME,
        "committedAt": _COMMIT_TIME,
        "message": nullable(text()),
        "author": nullable(text()),
        "files": {"type": ["array", "null"], "items": text()},
    },
    optional=["parents", "authoredAt", "committedAt", "message", "author", "files"],
)
# What fields of request bodies take, by their classes.
_FIELDS: dict[str, Schema] = {
    "State": choice(REPORTABLE_STATES),
    "DateTime": moment(),
    "Commits": list_of(_COMMIT),
    "_Flag": {"type": "boolean"},
    "_Events": list_of(choice([*WebhookEvent.values, "*"]), minItems=1),
    "_Url": {"pattern": r"^\s*[Hh][Tt][Tt][Pp][Ss]?://"},
    "_CauseDeployment": {"anyOf": [integer(), {"enum": ["auto", "none"]}]},
}


class TextField(OpenApiSerializerFieldExtension):
    """A text: trimmed, so that one of nothing but space is empty."""

    target_class = "deployments.reports.Text"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Schema:
        limits: Schema = {"maxLength": self.target.max_length} if self.target.max_length else {}
        if not self.target.allow_blank:
            limits |= {"minLength": 1, "pattern": r"\S"}
        shape = _FIELDS.get(type(self.target).__name__, {})
        return {"type": "string", **({} if "enum" in shape else limits), **shape}


class _OwnField(OpenApiSerializerFieldExtension):
    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Schema:
        return dict(_FIELDS[type(self.target).__name__])


class MomentField(_OwnField):
    target_class = "deployments.reports.DateTime"


class CommitsField(_OwnField):
    target_class = "deployments.reports.Commits"


class FlagField(_OwnField):
    target_class = "deployments.api.webhook_body._Flag"


class EventsField(_OwnField):
    target_class = "deployments.api.webhook_body._Events"


class CauseField(_OwnField):
    target_class = "deployments.api.incident_body._CauseDeployment"


Endpoint = tuple[str, str, str, Callable[..., Any]]


def leave_out_other_addresses(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Return the routes that the document is about."""
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith(_OTHER_ADDRESSES)]


def add_the_rest(result: Schema, **_: Any) -> Schema:
    """Add the components that operations refer to, and the addresses that no API view stands behind."""
    for kind, named in COMPONENTS.items():
        result["components"].setdefault(kind, {}).update(named)
    result["paths"].update(PATHS)
    result["info"]["version"] = settings.VERSION
    result["tags"] = [{"name": name} for name in TAGS]
    result["servers"] = [{"url": settings.BASE_URL or "/"}]
    return result
