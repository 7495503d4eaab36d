"""Whatever is sent, the answer is one of GitHub's: never an error of the server."""

import json
import string
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.github.hooks import SOME_EXAMPLES
from tests.github_style.client import SHA, GithubClient

pytestmark = [pytest.mark.django_db, pytest.mark.once]
FIELDS = [
    "ref", "sha", "task", "auto_merge", "required_contexts", "payload", "environment", "description",
    "transient_environment", "production_environment", "state", "log_url", "target_url", "environment_url",
    "auto_inactive", "event_type", "client_payload",
]  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True, allow_infinity=True), st.text(max_size=300),
    st.sampled_from(["success", "failure", "inactive", "", "production", SHA, "main", "https://x", "\x00", "\ud800"]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
likely = {"ref": st.just(SHA), "state": st.sampled_from(["success", "inactive", "failure"])}
bodies = st.fixed_dictionaries({}, optional={name: likely.get(name, values) | values for name in FIELDS})
segments = st.text(alphabet=string.ascii_letters + string.digits + "/%.-_ \x00é", max_size=20)
queries = st.dictionaries(
    st.sampled_from(["page", "per_page", "sha", "ref", "task", "environment", "format"]),
    st.text(max_size=12),
    max_size=4,
)
ANY = settings(
    max_examples=SOME_EXAMPLES * 6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ask(api: GithubClient, method: str, path: str, body: Any = b"") -> Any:
    """Ask within a savepoint that is undone, so that every example begins alike."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode(errors="surrogatepass")
    with transaction.atomic():
        answer = api.request(method, path, raw)
        transaction.set_rollback(True)
    return answer


def assert_is_githubs(answer: Any) -> None:
    assert answer.status_code in (200, 201, 204, 400, 401, 403, 404, 413, 422), answer.content[:300]
    if answer.content:
        assert answer["Content-Type"] == "application/json; charset=utf-8"
        body = answer.json()
        if answer.status_code >= 400:
            assert body["message"]
            assert body["status"] == str(answer.status_code)
            assert isinstance(body.get("errors", []), list)


@pytest.fixture
def there(api: GithubClient, settings: Any) -> tuple[GithubClient, int]:
    """A client without a limit, and the id of a deployment."""
    settings.SLIPWAY_RATE_LIMIT = "off"
    return api, api.deploy(environment="staging")["id"]


@ANY
@given(body=bodies)
def test_any_body(there: tuple[GithubClient, int], body: dict[str, Any]) -> None:
    api, id_ = there
    for path in ("deployments", f"deployments/{id_}/statuses", "dispatches"):
        assert_is_githubs(ask(api, "POST", f"{api.repo}/{path}", body))


@ANY
@given(raw=st.binary(max_size=60))
def test_any_bytes(there: tuple[GithubClient, int], raw: bytes) -> None:
    api, _ = there
    assert_is_githubs(ask(api, "POST", api.deployments, raw))


@ANY
@given(method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH"]), path=segments, query=queries)
def test_any_address(there: tuple[GithubClient, int], method: str, path: str, query: dict[str, str]) -> None:
    api, _ = there
    for base in ("/api/v3/", f"{api.repo}/", f"{api.deployments}/", "/api/v3/repos/"):
        address = f"{base}{quote(path)}?{urlencode(query, errors='surrogatepass')}"
        assert_is_githubs(ask(api, method, address, {"ref": SHA}))
    assert_is_githubs(ask(api, "GET", f"{api.deployments}?{urlencode(query, errors='surrogatepass')}"))


@ANY
@given(
    header=st.text(alphabet=string.printable.strip() + " é", max_size=60),
    name=st.sampled_from(["Authorization", "X-GitHub-Api-Version", "Accept", "If-None-Match"]),
)
def test_any_header(there: tuple[GithubClient, int], name: str, header: str) -> None:
    api, _ = there
    with transaction.atomic():
        answer = api.client.get(api.deployments, headers={**api.headers, name: header})
        transaction.set_rollback(True)
    assert answer.status_code in (200, 304, 400, 401, 429)
