"""The document of the API as a page for people: everything on one, so that the browser's search finds it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from deployments.api.openapi.generating import document

Schema = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_KINDS = {"string": "text", "array": "list"}


@dataclass(frozen=True, slots=True)
class Field:
    """A line of a table: a parameter, a field of a body, or a header."""

    name: str
    kind: SafeString
    required: bool
    description: SafeString
    place: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A body: what it is written in, what it has, and examples of it."""

    media_type: str
    kind: SafeString
    fields: list[Field]
    examples: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What answers, by its status."""

    status: str
    description: SafeString
    contents: list[Content]
    headers: list[Field]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of an address."""

    name: str
    method: str
    path: str
    summary: str
    description: SafeString
    access: list[str]
    parameters: list[Field]
    bodies: list[Content]
    answers: list[Answer]


Shape = tuple[str, SafeString, SafeString, list[Field], bool]


@login_not_required
@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show the document."""
    return render(request, "deployments/api_docs.html", _shown())


@cache
def _shown() -> dict[str, Any]:
    found = document()
    operations = list(_operations(found))
    groups = [(tag["name"], [one for name, one in operations if name == tag["name"]]) for tag in found["tags"]]
    shapes = [_shape(name, schema) for name, schema in sorted(found["components"]["schemas"].items())]
    return {"info": found["info"], "groups": groups, "shapes": shapes}


def _shape(name: str, schema: Schema) -> Shape:
    # Answers have all of their fields: a mark on each would say nothing.
    marks = len(schema.get("required", [])) < len(schema.get("properties", {}))
    return name, _in_code(schema.get("description", "")), _kind(schema), list(_fields(schema)), marks


def _operations(found: Schema) -> Iterator[tuple[str, Operation]]:
    for path, item in found["paths"].items():
        for method in _METHODS:
            if method in item:
                yield item[method]["tags"][0], _operation(path, method, item[method])


def _operation(path: str, method: str, said: Schema) -> Operation:
    return Operation(
        name=said["operationId"],
        method=method.upper(),
        path=path,
        summary=said["summary"],
        description=_in_code(said.get("description", "")),
        access=[scope for way in said["security"] for name, scopes in way.items() for scope in scopes or [name]],
        parameters=[
            _field(one["name"], one["schema"], bool(one.get("required")), one.get("description", ""), one["in"])
            for one in said.get("parameters", [])
        ],
        bodies=_contents(said.get("requestBody", {})),
        answers=[_answer(status, _resolved(one)) for status, one in said["responses"].items()],
    )


def _answer(status: str, said: Schema) -> Answer:
    headers = {name: _resolved(one) for name, one in said.get("headers", {}).items()}
    return Answer(
        status,
        _in_code(said["description"]),
        _contents(said),
        [
            _field(name, one["schema"], bool(one.get("required")), one.get("description", ""))
            for name, one in headers.items()
        ],
    )


def _contents(said: Schema) -> list[Content]:
    return [
        Content(media_type, _kind(one["schema"]), list(_fields(one["schema"])), list(_examples(one)))
        for media_type, one in said.get("content", {}).items()
    ]


def _examples(content: Schema) -> Iterator[tuple[str, str]]:
    named = content.get("examples") or ({"": {"value": content["example"]}} if "example" in content else {})
    for one in named.values():
        yield one.get("summary", "Example"), json.dumps(one["value"], ensure_ascii=False, indent=2)


def _resolved(said: Schema) -> Schema:
    """Return what a reference leads to."""
    while "$ref" in said:
        _, _, kind, name = said["$ref"].split("/")
        said = document()["components"][kind][name]
    return said


def _fields(schema: Schema, prefix: str = "") -> Iterator[Field]:
    """Yield the fields of an object; those of objects in it have its name in front."""
    required = schema.get("required", [])
    for name, inner in schema.get("properties", {}).items():
        yield _field(f"{prefix}{name}", inner, name in required, inner.get("description", ""))
        yield from _fields(inner, f"{prefix}{name}.")
        yield from _fields(inner.get("items", {}), f"{prefix}{name}[].")


def _field(name: str, schema: Schema, required: bool, description: str, place: str = "") -> Field:
    return Field(name, _kind(schema), required, _in_code(description), place)


def _kind(schema: Schema) -> SafeString:
    """Return what a schema takes, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return format_html('<a href="#{}">{}</a>', name, name)
    if "const" in schema:
        return _in_code(f"`{json.dumps(schema['const'])}`")
    if "enum" in schema:
        return format_html_join(", ", "<code>{}</code>", ((_word(value),) for value in schema["enum"]))
    if ways := schema.get("anyOf") or schema.get("oneOf"):
        return format_html_join(" or ", "{}", ((_kind(way),) for way in ways))
    types = schema.get("type", [])
    words = [_KINDS.get(one, one) for one in ([types] if isinstance(types, str) else types)]
    items = schema.get("items")
    of = format_html(" of {}", _kind(items)) if items and items.get("type") != "object" else ""
    return format_html("{}{}{}", " or ".join(words), of, _limits(schema))


def _word(value: Any) -> str:
    return "null" if value is None else str(value)


def _limits(schema: Schema) -> str:
    """Return how much a schema takes."""
    limits = [
        f"up to {schema['maxLength']:,}" if "maxLength" in schema else "",
        f"up to {schema['maxItems']:,}" if "maxItems" in schema else "",
        f"from {schema['minimum']:,}" if "minimum" in schema else "",
        f"to {schema['maximum']:,}" if "maximum" in schema else "",
        schema.get("format", ""),
    ]
    return "".join(f", {limit}" for limit in limits if limit)


def _in_code(text: str) -> SafeString:
    """Return a text as HTML, with what stands between backticks as code."""
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", conditional_escape(text)))  # noqa: S308 # escaped here
