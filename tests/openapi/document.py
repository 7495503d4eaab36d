"""The OpenAPI document as the tests hold the server to it."""

import copy
from typing import Any

from deployments.api.openapi.generating import document

# Bodies that are sent: fields that are not known are ignored.
_SENT = {"DeploymentReport", "IncidentReport", "PatchedIncidentReport", "WebhookBody", "PatchedWebhookBody"}
METHODS = ("get", "post", "put", "patch", "delete")


def strict_document() -> dict[str, Any]:
    """Return the document with nothing allowed in answers that it does not name."""
    strict = copy.deepcopy(document())
    for name, schema in strict["components"]["schemas"].items():
        if name not in _SENT:
            _close(schema)
    return strict


def _close(schema: Any) -> None:
    if isinstance(schema, list):
        for one in schema:
            _close(one)
    if isinstance(schema, dict):
        if schema.get("type") in ("object", ["object", "null"]) and "properties" in schema:
            schema["additionalProperties"] = False
        for one in schema.values():
            _close(one)


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return all operations by method and path."""
    return {
        (method, path): item[method]
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item
    }
