"""Who may ask what, how often, and how that is said."""

import base64
from typing import Any

import pytest

from deployments.models import ApiKey, RefusedRequest, Workspace
from tests.factories import make_key, make_workspace
from tests.github_style.client import GithubClient, assert_error

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token", "Token", "TOKEN"])
def test_a_key_is_a_token(api: GithubClient, key: str, scheme: str) -> None:
    assert api.get("/api/v3/user", Authorization=f"{scheme} {key}").status_code == 200


def test_a_key_is_a_password_or_a_user_name(api: GithubClient, key: str) -> None:
    for header in (basic("x", key), basic("", key), basic(key, ""), basic(key, "x-oauth-basic")):
        assert api.get("/api/v3/user", Authorization=header).status_code == 200


def test_without_a_key_it_requires_authentication(db: None) -> None:
    answer = GithubClient().get("/api/v3/repos/acme/shop/deployments")

    body = assert_error(answer, 401, "Requires authentication")
    assert body["documentation_url"] == "https://docs.github.com/rest"
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    ["Bearer x", "token slipway_a_b", "Bearer", "Basic !!", basic("a", "b"), "Digest x y", "Basic " + "/" * 8],
)
@pytest.mark.parametrize("path", ["/user", "/repos/acme/shop", "/", "/meta", "/rate_limit", "/nowhere"])
def test_a_wrong_key_is_bad_credentials(db: None, header: str, path: str) -> None:
    assert_error(GithubClient().get(f"/api/v3{path}", Authorization=header), 401, "Bad credentials")


def test_a_revoked_key_is_bad_credentials(api: GithubClient) -> None:
    ApiKey.objects.all().revoke()

    assert_error(api.get("/api/v3/user"), 401, "Bad credentials")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/deployments", "deployments:write"),
        ("POST", "/deployments/1/statuses", "deployments:write"),
        ("DELETE", "/deployments/1", "deployments:write"),
        ("POST", "/dispatches", "deployments:write"),
        ("DELETE", "/environments/production", "deployments:write"),
        ("GET", "/deployments", "deployments:read"),
        ("GET", "/deployments/1", "deployments:read"),
        ("GET", "/deployments/1/statuses", "deployments:read"),
        ("GET", "/environments", "deployments:read"),
    ],
)
def test_a_key_without_the_scope_is_403(workspace: Workspace, method: str, path: str, scope: str) -> None:
    other = {"deployments:write", "deployments:read", "metrics:read"} - {scope}
    api = GithubClient(make_key(workspace, scopes=sorted(other)))
    answer = api.request(method, api.repo + path)

    assert_error(answer, 403, "Resource not accessible by personal access token")
    assert answer["X-Accepted-GitHub-Permissions"] == scope.replace(":", "=")


def test_a_key_that_only_writes_can_do_what_an_action_does(workspace: Workspace) -> None:
    api = GithubClient(make_key(workspace, scopes=["deployments:write"]))
    deployment = api.create()
    api.status(deployment["id"], "success")

    assert api.get(api.repo).json()["permissions"]["push"] is True
    assert api.get("/api/v3/user").status_code == 200


def test_what_is_another_workspaces_is_not_there(api: GithubClient) -> None:
    deployment = api.deploy()
    stranger = GithubClient(make_key(make_workspace("Other")))
    status = api.get(deployment["statuses_url"]).json()[0]

    for path in ("", "/deployments", f"/deployments/{deployment['id']}", "/environments"):
        assert_error(stranger.get(api.repo + path), 404, "Not Found")
    assert_error(stranger.get(status["url"]), 404, "Not Found")
    assert_error(stranger.try_status(deployment["id"], state="failure"), 404, "Not Found")
    assert_error(stranger.request("DELETE", api.path(deployment["id"])), 404, "Not Found")
    stranger.create()  # its own repository of that name
    assert_error(stranger.get(api.path(deployment["id"])), 404, "Not Found")
    assert len(api.ids()) == len(stranger.ids()) == 1


def test_a_deployment_of_another_repository_is_not_there(api: GithubClient) -> None:
    other = GithubClient(full_name="acme/other")
    other.headers = api.headers
    deployment = api.create()
    other.create()

    assert_error(other.get(other.path(deployment["id"])), 404, "Not Found")
    assert_error(other.try_status(deployment["id"], state="success"), 404, "Not Found")


def test_whoever_sets_up_ci_sees_what_was_refused(api: GithubClient, ci: Any) -> None:
    api.try_create(ref="main")

    row = RefusedRequest.objects.get()
    assert (row.http_status, row.title, row.path) == (422, "No ref found for: main", api.deployments)


def test_writes_and_reads_are_counted(api: GithubClient, settings: Any) -> None:
    settings.SLIPWAY_RATE_LIMIT, settings.SLIPWAY_READ_RATE_LIMIT = "3/minute", "5/minute"
    deployment = api.try_create()
    read = api.get(api.repo)

    def said(answer: Any) -> list[str]:
        return [answer[f"X-RateLimit-{name}"] for name in ("Limit", "Used", "Remaining", "Resource")]

    assert said(deployment) == ["3", "1", "2", "deployments_write"]
    assert said(read) == ["5", "1", "4", "core"]
    assert int(read["X-RateLimit-Reset"]) > 1_700_000_000


def test_over_the_limit_is_429(api: GithubClient, settings: Any) -> None:
    settings.SLIPWAY_RATE_LIMIT = "1/minute"
    api.create()
    answer = api.try_create()

    assert answer.status_code == 429
    assert answer.json()["message"].startswith("API rate limit exceeded for API key slipway_")
    assert answer["X-RateLimit-Remaining"] == "0"
    assert int(answer["Retry-After"]) > 0
    assert len(api.ids()) == 1


def test_the_limit_can_be_asked_for_without_being_counted(api: GithubClient, settings: Any) -> None:
    settings.SLIPWAY_RATE_LIMIT, settings.SLIPWAY_READ_RATE_LIMIT = "3/minute", "5/minute"
    api.create()
    api.get(api.repo)
    for _ in range(10):
        answer = api.get("/api/v3/rate_limit")
    core = answer.json()["resources"]["core"]

    assert {**core, "reset": 0} == {"limit": 5, "used": 1, "remaining": 4, "reset": 0, "resource": "core"}
    assert answer.json()["rate"] == core
    assert answer.json()["resources"]["deployments_write"]["remaining"] == 2
    assert answer["X-RateLimit-Remaining"] == "4"


def test_without_a_limit_there_are_numbers_too(api: GithubClient, settings: Any) -> None:
    settings.SLIPWAY_RATE_LIMIT = "off"
    core = api.get("/api/v3/rate_limit").json()["resources"]["core"]

    assert core["remaining"] == core["limit"] > 1000
