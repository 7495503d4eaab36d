"""The OpenAPI document: it is about all of the API, its examples work, and errors are as it says."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
import yaml
from django.db import OperationalError, connection
from django.test import Client
from django.urls import URLPattern, get_resolver
from drf_spectacular.validation import validate_schema
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks

from deployments.api.openapi.generating import document
from tests.factories import make_key
from tests.github.hooks import sign
from tests.openapi.document import operations
from tests.openapi.test_answers import schema
from tests.openapi.world import World

pytestmark = pytest.mark.once
Where = tuple[str, str]
_ALL = sorted(operations())
_WITH_A_KEY = [where for where in _ALL if any("apiKey" in way for way in operations()[where]["security"])]
_WITH_A_BODY = [where for where in _ALL if "requestBody" in operations()[where]]
_CONFORMANCE = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def send(where: Where, headers: dict[str, str], body: bytes = b"", **parameters: Any) -> Response:
    """Send a request, hold the answer against the document, and return it."""
    method, path = where
    case: schemathesis.Case = schema[path][method.upper()].Case(path_parameters=parameters)
    data = (
        {"data": body, "headers": {"Content-Type": "application/json", **headers}} if body else {"headers": headers}
    )
    answer = case.call(**data)
    case.validate_response(answer, checks=_CONFORMANCE)
    return answer


def named(world: World, path: str) -> Iterator[dict[str, Any]]:
    """Yield all that the parameters of a path can name."""
    names = re.findall(r"{(\w+)}", path)
    for values in itertools.product(*(world.named_by(name, path) for name in names)):
        yield dict(zip(names, values, strict=True))


def example_of(where: Where) -> bytes:
    """Return the first example of a body; nothing where there is no body."""
    content = operations()[where].get("requestBody", {}).get("content", {}).get("application/json", {})
    for one in content.get("examples", {}).values():
        return json.dumps(one["value"]).encode()
    return b""


def credentials(world: World, body: bytes) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.key}", "X-Hub-Signature-256": sign(body, world.secret)}


def routes() -> Iterator[str]:
    """Yield the routes of the API as paths of OpenAPI."""
    patterns: list[Any] = [*get_resolver().url_patterns]
    for one in patterns:
        if not isinstance(one, URLPattern):
            patterns += [] if str(one.pattern) else one.url_patterns  # those of the admin are not ours
            continue
        path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(one.pattern))
        if path.startswith(("/v1/", "/api/")) and not path.startswith("/api/v3"):
            yield path


def test_every_address_of_the_api_is_in_the_document() -> None:
    found = set(routes())

    assert "/v1/deployments/{id}" in found
    assert found - set(document()["paths"]) == {"/v1/docs/"}  # a page for people


def test_the_document_is_valid_openapi() -> None:
    validate_schema(document())
    assert document()["openapi"] == "3.1.0"


def test_anybody_can_read_the_document(client: Client) -> None:
    as_json, as_yaml = client.get("/v1/openapi.json"), client.get("/v1/openapi.yaml")

    assert as_json.json() == yaml.safe_load(as_yaml.content) == document()


def test_anybody_can_read_the_page(client: Client) -> None:
    page = client.get("/v1/docs/")

    text = page.content.decode()
    for said in operations().values():
        assert f'id="{said["operationId"]}"' in text
    for name in document()["components"]["schemas"]:
        assert f'id="{name}"' in text
    assert "style=" not in text
    assert "<code>deployedAt</code>" in text


def test_a_batch_has_no_more_items_than_the_document_says(client: Client) -> None:
    batch = operations()["post", "/v1/deployments/batch"]["requestBody"]["content"]["application/json"]["schema"]

    assert batch["oneOf"][0]["maxItems"] == 1000
    assert document()["components"]["schemas"]["DeploymentReport"]["properties"]["version"]["maxLength"] == 70


@pytest.mark.parametrize("where", _ALL, ids=" ".join)
def test_every_operation_does_what_its_example_asks_for(where: Where, world: World) -> None:
    body = example_of(where)
    answers = [send(where, credentials(world, body), body, **ids) for ids in named(world, where[1])]

    assert min(answer.status_code for answer in answers) < 300, [answer.text for answer in answers]


def test_without_a_key_every_operation_answers_as_the_document_says(world: World) -> None:
    for where in _WITH_A_KEY:
        ids = next(named(world, where[1]))
        assert send(where, {}, b"{}", **ids).status_code == 401


def test_with_a_key_that_may_nothing_every_operation_answers_as_the_document_says(world: World) -> None:
    key = make_key(world.workspace, scopes=[])
    for where in _WITH_A_KEY:
        ids = next(named(world, where[1]))
        assert send(where, {"Authorization": f"Bearer {key}"}, b"{}", **ids).status_code == 403


def test_over_the_limit_every_operation_answers_as_the_document_says(world: World, settings: Any) -> None:
    settings.SLIPWAY_RATE_LIMIT = settings.SLIPWAY_READ_RATE_LIMIT = "1/minute"
    for where in _WITH_A_KEY:
        ids = next(named(world, where[1]))
        send(where, credentials(world, b"{}"), b"{}", **ids)
        assert send(where, credentials(world, b"{}"), b"{}", **ids).status_code == 429


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [(400, {}, b"{"), (415, {"Content-Encoding": "gzip"}, b"{}")],
)
def test_what_cannot_be_read_is_answered_as_the_document_says(
    status: int, headers: dict[str, str], body: bytes, world: World
) -> None:
    for where in _WITH_A_BODY:
        ids = next(named(world, where[1]))
        assert send(where, {**credentials(world, body), **headers}, body, **ids).status_code == status


def test_while_the_database_is_away_every_operation_answers_as_the_document_says(world: World) -> None:
    def refuse(execute: Callable[..., Any], sql: str, *_: Any) -> Any:
        raise OperationalError("the database is away")

    addresses = {where: next(named(world, where[1])) for where in _ALL if "503" in operations()[where]["responses"]}
    with connection.execute_wrapper(refuse):
        for where, ids in addresses.items():
            assert send(where, credentials(world, b"{}"), b"{}", **ids).status_code == 503
