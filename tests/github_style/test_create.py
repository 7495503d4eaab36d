"""Creating a deployment, as GitHub's clients do."""

import datetime as dt
import json
from typing import Any

import pytest
import time_machine

from deployments.models import Application, Deployment, Environment, Repository
from tests.factories import NOON
from tests.github_style.client import SHA, GithubClient, assert_custom, assert_error

pytestmark = pytest.mark.django_db

SIMPLE_USER = {
    "login", "id", "node_id", "avatar_url", "gravatar_id", "url", "html_url", "followers_url", "following_url",
    "gists_url", "starred_url", "subscriptions_url", "organizations_url", "repos_url", "events_url",
    "received_events_url", "type", "site_admin",
}  # fmt: skip


def test_a_deployment_is_answered_with_201_as_github_shows_it(api: GithubClient) -> None:
    with time_machine.travel(NOON + dt.timedelta(microseconds=999_999), tick=False):
        answer = api.try_create()
    row = Deployment.objects.get()
    url = f"http://testserver/api/v3/repos/acme/shop/deployments/{row.pk}"

    assert answer.status_code == 201
    assert answer["Location"] == url
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    body = answer.json()
    creator = body.pop("creator")
    assert set(creator) == SIMPLE_USER
    assert creator["login"] == "github-actions"
    assert body.pop("node_id")
    assert body == {
        "url": url,
        "id": row.pk,
        "sha": SHA,
        "ref": SHA,
        "task": "deploy",
        "payload": {},
        "original_environment": "production",
        "environment": "production",
        "description": None,
        "created_at": "2026-03-02T12:00:00Z",
        "updated_at": "2026-03-02T12:00:00Z",
        "statuses_url": f"{url}/statuses",
        "repository_url": "http://testserver/api/v3/repos/acme/shop",
        "transient_environment": False,
        "production_environment": True,
        "performed_via_github_app": None,
    }


def test_everything_that_was_said_comes_back(api: GithubClient) -> None:
    said = {
        "task": "deploy:migrations",
        "payload": {"deploy": "migrate", "n": [1, 2.5, None, True]},
        "environment": "QA / Berlin",
        "description": "Müller’s deployment",
        "transient_environment": True,
        "production_environment": False,
    }
    created = api.create(**said, auto_merge=False, required_contexts=[])

    assert {name: created[name] for name in said} == said
    assert api.get(api.path(created["id"])).json() == created


def test_a_new_deployment_has_no_status_and_has_reached_nothing(api: GithubClient) -> None:
    created = api.create()
    row = Deployment.objects.get()

    assert api.states_of(created["id"]) == []
    assert (row.state, row.reached_environment, row.lineage_pending) == ("pending", False, False)


@pytest.mark.parametrize(
    ("environment", "said", "expected"),
    [
        ("production", None, True),
        ("production", False, False),
        ("prod", None, False),
        ("staging", None, False),
        ("staging", True, True),
    ],
)
def test_only_production_is_production_unless_said(
    api: GithubClient, environment: str, said: bool | None, expected: bool
) -> None:
    fields = {} if said is None else {"production_environment": said}

    assert api.create(environment=environment, **fields)["production_environment"] is expected


def test_an_environment_that_is_said_to_be_production_counts_as_such(api: GithubClient) -> None:
    api.create(environment="eu-1", production_environment=True)

    assert Environment.objects.get(name="eu-1").is_production


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("just a text", "just a text"),
        ("[1, 2]", "[1, 2]"),
        ("", {}),
        ({}, {}),
        (None, {}),
    ],
)
def test_a_payload_is_an_object_or_a_text(api: GithubClient, payload: Any, shown: Any) -> None:
    created = api.create(payload=payload)

    assert created["payload"] == shown
    assert api.get(api.path(created["id"])).json()["payload"] == shown


@pytest.mark.parametrize("path_name", ["monorepoPath", "monorepo_path"])
@pytest.mark.parametrize("encode", [dict, json.dumps])
def test_the_payload_may_name_application_version_and_path(api: GithubClient, path_name: str, encode: Any) -> None:
    api.create(payload=encode({"app": "checkout", "version": "v7", path_name: "./services/checkout/"}))
    row = Deployment.objects.get()

    assert (row.application.name, row.version, row.monorepo_path) == ("checkout", "v7", "services/checkout")
    assert row.application.monorepo_path == "services/checkout"


def test_without_it_the_application_is_called_as_the_repository(api: GithubClient) -> None:
    api.create()
    api.create(environment="staging")

    application = Application.objects.get()
    assert (application.name, application.is_default) == ("shop", True)
    assert Deployment.objects.first().version == SHA[:12]  # type: ignore[union-attr]


def test_a_tag_is_the_version(api: GithubClient) -> None:
    api.create(ref="refs/tags/v1.2.3", sha=SHA)

    assert Deployment.objects.get().version == "v1.2.3"


def test_a_repository_never_heard_of_is_created(api: GithubClient) -> None:
    assert api.get(api.repo).status_code == 404
    api.create()

    assert api.get(api.repo).json()["full_name"] == "acme/shop"
    assert Repository.objects.get().full_name == "acme/shop"


def test_owner_and_repository_are_not_case_sensitive(api: GithubClient) -> None:
    created = api.create()
    other = GithubClient()
    other.headers, other.deployments = api.headers, "/api/v3/repos/ACME/Shop/deployments"

    assert other.ids() == [created["id"]]
    assert other.create()["repository_url"] == created["repository_url"]
    assert Repository.objects.count() == 1


def test_two_requests_alike_are_two_deployments(api: GithubClient) -> None:
    assert api.create()["id"] != api.create()["id"]


def test_unknown_fields_are_ignored(api: GithubClient) -> None:
    assert api.create(foo={"bar": 1}, concurrency=None)["sha"] == SHA


def test_null_says_the_same_as_nothing(api: GithubClient) -> None:
    names = ["task", "auto_merge", "required_contexts", "payload", "environment", "description"]
    created = api.create(**dict.fromkeys([*names, "transient_environment", "production_environment"]))

    assert (created["task"], created["environment"], created["production_environment"]) == (
        "deploy",
        "production",
        True,
    )


def test_no_description_is_too_long(api: GithubClient) -> None:
    text = "ü" * 5_000

    assert api.create(description=text)["description"] == text


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"ref": None}, '"ref" wasn\'t supplied.'),
        ({"ref": 5}, "Invalid property /ref: `5` is not of type `string`."),
        ({"task": ["a"]}, 'Invalid property /task: `["a"]` is not of type `string`.'),
        ({"auto_merge": "yes"}, 'Invalid property /auto_merge: `"yes"` is not of type `boolean`.'),
        ({"required_contexts": "ci"}, 'Invalid property /required_contexts: `"ci"` is not of type `array`.'),
        ({"payload": [1]}, "Invalid property /payload: `[1]` is not of type `object`."),
        ({"environment": {}}, "Invalid property /environment: `{}` is not of type `string`."),
        ({"transient_environment": 1}, "Invalid property /transient_environment: `1` is not of type `boolean`."),
    ],
)
def test_parameters_of_a_wrong_type_are_422(api: GithubClient, fields: dict[str, Any], fault: str) -> None:
    body = assert_error(api.try_create(**fields), 422, f"Invalid request.\n\n{fault}")

    assert "errors" not in body
    assert body["documentation_url"].endswith("/deployments/deployments#create-a-deployment")
    assert not Repository.objects.exists()


@pytest.mark.parametrize("name", ["environment", "task", "ref"])
def test_a_name_that_is_too_long_is_422(api: GithubClient, name: str) -> None:
    answer = api.try_create(**{"sha": SHA, name: "x" * 256})

    assert_custom(answer, "Deployment", name, f"{name} is too long (maximum is 255 characters)")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "Problems parsing JSON"),
        (b'{"ref": NaN}', "Problems parsing JSON"),
        (b'{"payload": {"a": 1e999}}', "Problems parsing JSON"),
        (b"\xff\xfe", "Problems parsing JSON"),
        (b"ref=main", "Problems parsing JSON"),
        (b'{"payload":' + b"[" * 300 + b"]" * 300 + b"}", "Problems parsing JSON"),
        (b"[]", "Body should be a JSON object"),
        (b'"main"', "Body should be a JSON object"),
        (b"null", "Body should be a JSON object"),
    ],
)
def test_a_body_that_is_no_json_object_is_400(api: GithubClient, raw: bytes, message: str) -> None:
    assert_error(api.post(api.deployments, raw), 400, message)


def test_an_empty_body_lacks_the_ref(api: GithubClient) -> None:
    assert_error(api.post(api.deployments), 422, 'Invalid request.\n\n"ref" wasn\'t supplied.')


def test_json_under_the_name_of_a_form_is_read(api: GithubClient) -> None:
    body = json.dumps({"ref": SHA}).encode()
    form = "application/x-www-form-urlencoded"

    assert api.post(api.deployments, body, Content_Type=form).status_code == 201


def test_a_body_over_a_mebibyte_is_413(api: GithubClient) -> None:
    answer = api.try_create(description="x" * 1024 * 1024)

    assert_error(answer, 413, "The body has more than 1 MiB.")


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_what_no_database_keeps_is_replaced(api: GithubClient, text: str) -> None:
    created = api.create(payload={text: text}, description=text, environment=f"e{text}")

    assert created["payload"] == {
        text.replace(text[-2:-1] if "\x00" in text else text, "\ufffd"): created["description"]
    }


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/vnd.github+json",
        "application/vnd.github.v3+json",
        "application/vnd.github.ant-man-preview+json, application/vnd.github.flash-preview+json",
        "text/html",
    ],
)
def test_every_media_type_is_answered_with_json(api: GithubClient, accept: str) -> None:
    answer = api.post(api.deployments, {"ref": SHA}, Accept=accept)

    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json; charset=utf-8"
