"""What clients ask for around deployments."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.signals import repository_dispatched
from tests.github.hooks import Github, Repo, at
from tests.github_style.client import GithubClient, assert_error

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.mark.parametrize("path", ["/api/v3", "/api/v3/"])
def test_the_root_names_what_there_is(api: GithubClient, path: str) -> None:
    body = api.get(path).json()

    assert body["current_user_url"] == "http://testserver/api/v3/user"
    assert body["repository_url"] == "http://testserver/api/v3/repos/{owner}/{repo}"


def test_root_meta_and_limit_answer_anybody(db: None) -> None:
    stranger = GithubClient()

    assert [stranger.get(f"/api/v3/{name}").status_code for name in ("", "meta", "rate_limit")] == [200] * 3
    assert "X-RateLimit-Limit" not in stranger.get("/api/v3/meta").headers


def test_meta_tells_a_version(api: GithubClient) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", api.get("/api/v3/meta").json()["installed_version"])


def test_a_key_is_taken_for_a_user(api: GithubClient) -> None:
    user = api.get("/api/v3/user").json()

    assert (user["login"], user["name"], user["type"]) == ("github-actions", "GitHub Actions", "User")
    assert isinstance(user["id"], int)
    creator = api.create()["creator"]
    assert creator == {name: user[name] for name in creator}


def test_a_repository_is_shown(api: GithubClient, github: Github, repo: Repo) -> None:
    github.tell(("repository", {"action": "edited", "repository": repo.json(at(0), default_branch="trunk")}))
    body = api.get("/api/v3/repos/ACME/SHOP").json()

    assert body["url"] == "http://testserver/api/v3/repos/acme/shop"
    assert (body["name"], body["full_name"], body["owner"]["login"]) == ("shop", "acme/shop", "acme")
    assert (body["default_branch"], body["archived"]) == ("trunk", False)
    assert isinstance(body["id"], int)


def test_environments_are_listed_shown_and_deleted(api: GithubClient) -> None:
    api.deploy(environment="production")
    api.deploy(environment="review/app 1")
    body = api.get(f"{api.repo}/environments").json()
    path = f"{api.repo}/environments/review%2Fapp%201"

    assert body["total_count"] == 2
    assert [row["name"] for row in body["environments"]] == ["production", "review/app 1"]
    assert body["environments"][1]["url"] == f"http://testserver{path}"
    assert api.get(path).json() == body["environments"][1]
    answer = api.request("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert_error(api.get(path), 404, "Not Found")
    assert_error(api.request("DELETE", path), 404, "Not Found")
    assert api.get(f"{api.repo}/environments").json()["total_count"] == 1
    assert len(api.ids()) == 2, "what was deployed stays"


def test_an_environment_is_there_again_with_the_next_deployment(api: GithubClient) -> None:
    api.deploy(environment="review")
    api.request("DELETE", f"{api.repo}/environments/review")
    api.create(environment="review")

    assert api.get(f"{api.repo}/environments/REVIEW").status_code == 200


def test_environments_have_pages(api: GithubClient) -> None:
    for name in "abc":
        api.create(environment=name)
    answer = api.get(f"{api.repo}/environments?per_page=2")

    assert answer.json()["total_count"] == 3
    assert len(answer.json()["environments"]) == 2
    assert 'rel="next"' in answer["Link"]


def addresses(value: Any, name: str = "") -> Iterator[str]:
    """Return all addresses in an answer."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from addresses(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from addresses(inner)
    elif isinstance(value, str) and name.endswith("url") and value:
        yield re.sub(r"\{[^}]*\}", "", value)


def test_every_address_leads_somewhere(api: GithubClient, pages: Any) -> None:
    deployment = api.deploy()
    paths = [
        "/user", "/users/ada", "/repos/acme/shop", "/repos/acme/shop/deployments", "/repos/acme/shop/environments",
        f"/repos/acme/shop/deployments/{deployment['id']}/statuses",
    ]  # fmt: skip
    found = {url for path in paths for url in addresses(api.get(f"/api/v3{path}").json())}
    assert len(found) > 30
    for url in sorted(found):
        assert url.startswith("http://testserver/"), url
        path = url.removeprefix("http://testserver")
        if path.startswith("/static/"):
            continue  # served by the web server
        client = api if path.startswith("/api/v3") else pages
        assert client.get(path).status_code == 200, url


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere", "/repos", "/repos/acme", "/repos/acme/", "/repos/acme/nope", "/repos/acme/nope/deployments",
        "/repos/acme/shop/", "/repos/acme/shop/deployments/", "/repos/acme/shop/deployments/{id}/",
        "/repos/acme/shop/deployments/{id}/statuses/", "/repos/acme/shop/environments/", "/user/", "/meta/",
        "/repos/acme/shop/deployments/0", "/repos/acme/shop/deployments/x", "/repos/acme/shop/deployments/-1",
        "/repos/acme/shop/deployments/99999999999999999999", "/repos/acme/shop/deployments/" + "9" * 5000,
        "/repos/acme/shop/nope", "/repos/acme/shop%00/deployments", "/repos/acme/shop%20", "/users/x/nope",
        "/repos/acme/shop/environments/a%00", "/repos/acme%0a/shop",
    ],
)  # fmt: skip
def test_what_there_is_not_is_404_and_no_redirect(api: GithubClient, path: str) -> None:
    deployment = api.create()

    assert_error(api.get(f"/api/v3{path.format(id=deployment['id'])}"), 404, "Not Found")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "path", ["", "/deployments/", "/deployments/{id}", "/environments", "/nope", "//deployments"]
)
def test_what_cannot_be_done_is_404(api: GithubClient, method: str, path: str) -> None:
    deployment = api.create()
    answer = api.request(method, api.repo + path.format(id=deployment["id"]), {"ref": "f" * 40})

    assert_error(answer, 404, "Not Found")


@pytest.mark.parametrize("name", ["acme/a/b", "acme/%07", "acme/" + "x" * 255])
def test_no_repository_of_a_name_that_none_has_is_created(api: GithubClient, name: str) -> None:
    assert_error(api.post(f"/api/v3/repos/{name}/deployments", {"ref": "f" * 40}), 404, "Not Found")


def test_a_repository_with_more_than_two_names_can_be_asked_for(api: GithubClient, ci: Any) -> None:
    deployment = ci.deploy(repositoryFullName="group/sub/app")
    path = f"/api/v3/repos/group/sub/app/deployments/{deployment.pk}"

    assert api.get(path).json()["url"] == f"http://testserver{path}"
    assert api.get("/api/v3/repos/group/sub/app").json()["name"] == "app"


# --- Conditions, versions, headers ---------------------------------------------------------------------------


def test_what_has_not_changed_is_304(api: GithubClient) -> None:
    deployment = api.create()
    first = api.get(api.path(deployment["id"]))
    again = api.get(api.path(deployment["id"]), If_None_Match=first["ETag"])

    assert first["ETag"].startswith('W/"')
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    api.status(deployment["id"], "success", environment="qa")
    changed = api.get(api.path(deployment["id"]), If_None_Match=first["ETag"])
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_lists_have_etags_too(api: GithubClient) -> None:
    api.create()
    api.create()
    first = api.get(f"{api.deployments}?per_page=1")
    again = api.get(f"{api.deployments}?per_page=1", If_None_Match=f'"x", {first["ETag"]}')

    assert again.status_code == 304
    assert again["Link"] == first["Link"]


def test_an_etag_does_not_keep_a_deployment_from_being_created(api: GithubClient) -> None:
    assert api.post(api.deployments, {"ref": "f" * 40}, If_None_Match="*").status_code == 201


def test_every_answer_has_githubs_headers(api: GithubClient) -> None:
    for answer in (api.get("/api/v3/"), api.get("/api/v3/nowhere"), api.try_create(), api.try_create(ref="nope")):
        assert answer["X-GitHub-Media-Type"] == "github.v3; format=json"
        assert answer["X-GitHub-Request-Id"]
        assert answer["X-GitHub-Api-Version-Selected"] == "2022-11-28"
        assert int(answer["X-RateLimit-Remaining"]) >= 0
        assert "Authorization" in answer["Vary"]


def test_both_versions_of_the_api_are_known(api: GithubClient) -> None:
    api.create()
    for version, has_old in [("2022-11-28", True), ("2026-03-10", False)]:
        said = {"X_GitHub_Api_Version": version}
        assert api.get(api.repo, **said)["X-GitHub-Api-Version-Selected"] == version
        assert ("has_downloads" in api.get(api.repo, **said).json()) is has_old
        assert ("rate" in api.get("/api/v3/rate_limit", **said).json()) is has_old


def test_an_unknown_version_is_400(api: GithubClient) -> None:
    answer = api.get(api.repo, X_GitHub_Api_Version="1999-01-01")

    assert answer.status_code == 400
    assert "2022-11-28" in answer.json()["message"]


def test_browsers_may_ask_for_options(api: GithubClient) -> None:
    assert api.request("OPTIONS", api.deployments).status_code == 204


def test_head_is_get_without_a_body(api: GithubClient) -> None:
    api.create()
    answer = api.request("HEAD", api.deployments)

    assert (answer.status_code, answer.content) == (200, b"")


def test_addresses_are_of_the_host_that_was_asked(api: GithubClient, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["slipway.example", "slipway"]
    settings.BASE_URL = "https://slipway.example"
    public = api.client.post(
        api.deployments, {"ref": "f" * 40}, "application/json", headers={**api.headers, "Host": "slipway.example"}
    )
    inside = api.client.get(api.deployments, headers={**api.headers, "Host": "slipway:8000"})

    assert public.json()["url"].startswith("https://slipway.example/api/v3/")
    assert inside.json()[0]["url"].startswith("http://slipway:8000/api/v3/")


# --- repository_dispatch -------------------------------------------------------------------------------------


@pytest.fixture
def dispatched() -> Iterator[list[dict[str, Any]]]:
    """What was asked to be sent to those who listen."""
    heard: list[dict[str, Any]] = []

    def hear(repository: Any, event_type: str, client_payload: Any, login: str, **_: Any) -> None:
        heard.append({"repository": repository.full_name, "type": event_type, "payload": client_payload, "by": login})

    repository_dispatched.connect(hear)
    yield heard
    repository_dispatched.disconnect(hear)


def test_a_dispatch_is_204_and_told(api: GithubClient, dispatched: list[dict[str, Any]]) -> None:
    api.create()
    answer = api.post(f"{api.repo}/dispatches", {"event_type": "on-demand", "client_payload": {"unit": False}})

    assert (answer.status_code, answer.content) == (204, b"")
    payload = {"unit": False}
    assert dispatched == [
        {"repository": "acme/shop", "type": "on-demand", "payload": payload, "by": "github-actions"}
    ]


def test_a_dispatch_needs_no_payload(api: GithubClient, dispatched: list[dict[str, Any]]) -> None:
    api.create()
    api.post(f"{api.repo}/dispatches", {"event_type": "x" * 100})

    assert dispatched[0]["payload"] == {}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, '"event_type" wasn\'t supplied.'),
        ({"event_type": ""}, "Invalid property /event_type: 1 character required; only 0 were supplied."),
        (
            {"event_type": "x" * 101},
            "Invalid property /event_type: only 100 characters are allowed; 101 were supplied.",
        ),
        ({"event_type": 1}, "Invalid property /event_type: `1` is not of type `string`."),
        (
            {"event_type": "a", "client_payload": "x"},
            'Invalid property /client_payload: `"x"` is not of type `object`.',
        ),
        (
            {"event_type": "a", "client_payload": {str(n): n for n in range(14)}},
            "No more than 10 properties are allowed; 14 were supplied.",
        ),
        ({"event_type": "a", "client_payload": {"a": "ü" * 33_000}}, "client_payload is too large."),
    ],
)
def test_a_dispatch_that_cannot_be_taken_is_422(
    api: GithubClient, dispatched: list[dict[str, Any]], body: dict[str, Any], fault: str
) -> None:
    api.create()

    answer = api.post(f"{api.repo}/dispatches", body)
    expected = fault if fault == "client_payload is too large." else f"Invalid request.\n\n{fault}"
    assert_error(answer, 422, expected)
    assert dispatched == []


def test_ten_properties_and_just_less_than_64_kib_are_taken(api: GithubClient, dispatched: list[Any]) -> None:
    api.create()
    payload = {str(number): "x" * 6_000 for number in range(10)}

    assert api.post(f"{api.repo}/dispatches", {"event_type": "a", "client_payload": payload}).status_code == 204


def test_a_dispatch_to_an_unknown_repository_is_404(api: GithubClient, dispatched: list[Any]) -> None:
    assert_error(api.post(f"{api.repo}/dispatches", {"event_type": "a"}), 404, "Not Found")
