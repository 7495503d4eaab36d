"""JSON Schema (2020-12) in few words, and the components that the document of the API is put together from."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Choices

Schema = dict[str, Any]

# By the kinds of OpenAPI: what operations refer to by name.
COMPONENTS: dict[str, dict[str, Schema]] = {"schemas": {}, "responses": {}, "headers": {}, "securitySchemes": {}}
# Addresses that no API view stands behind.
PATHS: dict[str, Schema] = {}


def component(name: str, schema: Schema, kind: str = "schemas") -> Schema:
    """Keep something under a name, and return the reference to it. Raises ValueError where the name is taken."""
    if name in COMPONENTS[kind]:
        raise ValueError(f"there is a component “{name}” already")
    COMPONENTS[kind][name] = schema
    return {"$ref": f"#/components/{kind}/{name}"}


def text(description: str = "", **limits: Any) -> Schema:
    return _described({"type": "string", **limits}, description)


def integer(description: str = "", **limits: Any) -> Schema:
    return _described({"type": "integer", **limits}, description)


def number(description: str = "", **limits: Any) -> Schema:
    return _described({"type": "number", **limits}, description)


def boolean(description: str = "") -> Schema:
    return _described({"type": "boolean"}, description)


def moment(description: str = "") -> Schema:
    """Return the schema of a date-time (RFC 3339)."""
    return text(description, format="date-time")


def day(description: str = "") -> Schema:
    return text(description, format="date")


def choice(values: Iterable[str] | type[Choices], description: str = "") -> Schema:
    """Return the schema of one of some texts."""
    words = values.values if isinstance(values, type) and issubclass(values, Choices) else values
    return text(description, enum=[str(word) for word in words])


def nullable(schema: Schema) -> Schema:
    """Return the schema of what may be null as well."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    found = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        found["enum"] = [*schema["enum"], None]
    return found


def list_of(items: Schema, description: str = "", **limits: Any) -> Schema:
    return _described({"type": "array", "items": items, **limits}, description)


def record(properties: Mapping[str, Schema], description: str = "", optional: Iterable[str] = ()) -> Schema:
    """Return the schema of an object that has all of the properties, but for the optional ones."""
    required = [name for name in properties if name not in set(optional)]
    schema: Schema = {"type": "object", "properties": dict(properties)}
    return _described({**schema, "required": required} if required else schema, description)


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema
