"""Whatever is asked of the API, the answer is one that the document tells of."""

import json
import os
import zlib
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NotSet
from schemathesis.specs.openapi.checks import negative_data_rejection

from config.wsgi import application
from tests.github.hooks import sign
from tests.openapi.document import strict_document
from tests.openapi.world import World

pytestmark = pytest.mark.once
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "suite")
# What a body means is asked of the database, so one of the right shape may be refused all the same.
_ACCEPTED = ["2xx", "304", "400", "404", "409", "422"]
_CONFIG: dict[str, Any] = {
    "generation": {
        "deterministic": _PROFILE != "thorough",
        "max-examples": {"quick": 2, "thorough": 40}.get(_PROFILE, 4),
        "with-security-parameters": False,
    },
    "phases": {"coverage": {"enabled": _PROFILE == "thorough"}},
    # Their bodies are made of those of POST /v1/deployments, which is tried from all sides.
    "operations": [
        {"include-name": f"POST {path}", "phases": {"coverage": {"enabled": False}}}
        for path in ("/v1/deployments/batch", "/api/workspaces/{workspace_id}/deployments")
    ],
    "checks": {"positive_data_acceptance": {"expected-statuses": _ACCEPTED}},
}
schema = schemathesis.openapi.from_dict(strict_document(), config=SchemathesisConfig.from_dict(_CONFIG))
schema.app = application


@schema.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_document_tells_of(case: schemathesis.Case, world: World) -> None:
    _name_what_there_is(case, world)
    excluded = [negative_data_rejection] if _may_be_accepted(case) else []
    case.call_and_validate(excluded_checks=excluded, **_credentials(case, world))


def _may_be_accepted(case: schemathesis.Case) -> bool:
    """Tell whether something that the document forbids may be taken all the same."""
    if case.path.endswith("/batch"):  # each item is answered by itself
        return True
    # A parameter that is empty says the same as one that is left out.
    values = [one for value in case.query.values() for one in (value if isinstance(value, list) else [value])]
    return any(not str(value).strip() or value in ([], {}) for value in [*values, *case.query.values()])


def _name_what_there_is(case: schemathesis.Case, world: World) -> None:
    """Put ids of what there is into most paths: what is made up leads to 404."""
    number = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
    if number % 5 == 0:
        return
    for name, value in case.path_parameters.items():
        if _is_of_its_kind(name, value):
            things = world.named_by(name, case.path)
            case.path_parameters[name] = things[number % len(things)]


def _is_of_its_kind(name: str, value: Any) -> bool:
    if name == "token":
        return True
    try:
        return bool(UUID(str(value)) if name in ("job_id", "workspace_id") else int(str(value)) >= 0)
    except ValueError:
        return False


def _credentials(case: schemathesis.Case, world: World) -> dict[str, Any]:
    """Return what a request is sent with: a key, or GitHub's signature over the body."""
    if not case.path.endswith("/github-webhook"):
        return {"headers": {"Authorization": f"Bearer {world.key}"}}
    body = _as_sent(case)
    return {"headers": {"X-Hub-Signature-256": sign(body, world.secret)}, "data": body}


def _as_sent(case: schemathesis.Case) -> bytes:
    if isinstance(case.body, NotSet):
        return b""
    if isinstance(case.body, bytes):
        return case.body
    if case.media_type == "application/json":
        return json.dumps(case.body).encode()
    return urlencode(case.body if isinstance(case.body, dict) else {"payload": str(case.body)}).encode()
