"""What the document says of each operation: by the name of its route, and its method."""

from deployments.api.openapi import deployment_operations, incident_operations, job_operations, webhook_operations
from deployments.api.openapi.json_schema import PATHS, text
from deployments.api.openapi.parts import OTHERS

OPERATIONS = {
    **deployment_operations.OPERATIONS,
    **incident_operations.OPERATIONS,
    **job_operations.OPERATIONS,
    **webhook_operations.OPERATIONS,
}

_DOCUMENT = {"type": "object", "required": ["openapi", "info", "paths"]}
PATHS["/healthz"] = {
    "get": {
        "operationId": "getHealth",
        "tags": [OTHERS],
        "summary": "Whether this process can serve",
        "description": "It asks no database.",
        "security": [],
        "responses": {"200": {"description": "It can.", "content": {"text/plain": {"schema": text()}}}},
    }
}
for _extension, _type in (("json", "application/json"), ("yaml", "application/yaml")):
    PATHS[f"/v1/openapi.{_extension}"] = {
        "get": {
            "operationId": f"getDocument{_extension.title()}",
            "tags": [OTHERS],
            "summary": f"This document, as {_extension.upper()}",
            "security": [],
            "responses": {"200": {"description": "The document.", "content": {_type: {"schema": _DOCUMENT}}}},
        }
    }
