"""The history of a deployment, and what a status does to it and to others."""

import datetime as dt
from typing import Any

import pytest
import time_machine

from deployments.models import Deployment, DeploymentStatus
from tests.factories import NOON
from tests.github_style.client import GithubClient, assert_custom, assert_error

pytestmark = pytest.mark.django_db

STATES = ["error", "failure", "inactive", "in_progress", "pending", "queued", "success"]


def test_a_status_is_answered_with_201_as_github_shows_it(api: GithubClient) -> None:
    deployment = api.create(environment="staging")
    with time_machine.travel(NOON, tick=False):
        answer = api.try_status(deployment["id"], state="in_progress")
    row = DeploymentStatus.objects.get()
    url = f"{deployment['url']}/statuses/{row.pk}"

    assert answer.status_code == 201
    assert answer["Location"] == url
    assert api.get(url).json() == answer.json()
    body = answer.json()
    assert body.pop("creator")["login"] == "github-actions"
    assert body.pop("node_id")
    assert body == {
        "url": url,
        "id": row.pk,
        "state": "in_progress",
        "description": "",
        "environment": "staging",
        "target_url": "",
        "created_at": "2026-03-02T12:00:00Z",
        "updated_at": "2026-03-02T12:00:00Z",
        "deployment_url": deployment["url"],
        "repository_url": deployment["repository_url"],
        "environment_url": "",
        "log_url": "",
        "performed_via_github_app": None,
    }


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_set(api: GithubClient, state: str) -> None:
    deployment = api.create()
    api.status(deployment["id"], state)

    assert api.state_of(deployment["id"]) == state


@pytest.mark.parametrize("state", ["waiting", "cancelled", "Success", "", "x" * 500])
def test_any_other_state_is_422(api: GithubClient, state: str) -> None:
    message = (
        f"Invalid request.\n\nInvalid property /state: `{state[:80]}` is not a possible value. Must be one of the"
        " following: error, failure, in_progress, inactive, pending, queued, success."
    )

    assert_error(api.try_status(api.create()["id"], state=state), 422, message)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, '"state" wasn\'t supplied.'),
        ({"state": 1}, "Invalid property /state: `1` is not of type `string`."),
        ({"state": "success", "log_url": 1}, "Invalid property /log_url: `1` is not of type `string`."),
        ({"state": "success", "auto_inactive": 0}, "Invalid property /auto_inactive: `0` is not of type `boolean`."),
    ],
)
def test_parameters_that_are_missing_or_of_a_wrong_type_are_422(
    api: GithubClient, fields: dict[str, Any], fault: str
) -> None:
    deployment = api.create()

    assert_error(api.try_status(deployment["id"], **fields), 422, f"Invalid request.\n\n{fault}")
    assert api.states_of(deployment["id"]) == []


def test_a_description_has_at_most_140_characters(api: GithubClient) -> None:
    deployment = api.create()

    assert api.status(deployment["id"], "success", description="ü" * 140)["description"] == "ü" * 140
    message = "description is too long (maximum is 140 characters)"
    answer = api.try_status(deployment["id"], state="success", description="x" * 141)
    assert_custom(answer, "DeploymentStatus", "description", message)


@pytest.mark.parametrize("name", ["environment_url", "log_url", "target_url"])
@pytest.mark.parametrize("value", ["javascript:alert(1)", "ftp://example.com", "example.com", " http://example.com"])
def test_an_address_must_be_of_the_web(api: GithubClient, name: str, value: str) -> None:
    answer = api.try_status(api.create()["id"], **{"state": "success", name: value})

    assert_custom(answer, "DeploymentStatus", name, f"{name} must use http(s) scheme")


def test_an_empty_address_is_none(api: GithubClient) -> None:
    status = api.status(api.create()["id"], "success", environment_url="", log_url="", target_url=None)

    assert (status["environment_url"], status["log_url"], status["target_url"]) == ("", "", "")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"log_url": "https://ci/1"}, "https://ci/1"),
        ({"target_url": "https://ci/2"}, "https://ci/2"),
        ({"log_url": "https://ci/1", "target_url": "https://ci/2"}, "https://ci/1"),
        ({"log_url": "", "target_url": "https://ci/2"}, "https://ci/2"),
    ],
)
def test_the_log_is_the_target_too(api: GithubClient, said: dict[str, str], shown: str) -> None:
    status = api.status(api.create()["id"], "success", **said)

    assert (status["log_url"], status["target_url"]) == (shown, shown)


def test_statuses_are_listed_the_newest_first(api: GithubClient) -> None:
    deployment = api.create()
    with time_machine.travel(NOON, tick=False):  # all within one second
        made = [api.status(deployment["id"], state)["id"] for state in ("queued", "in_progress", "success")]
    listed = api.get(f"{api.path(deployment['id'])}/statuses").json()

    assert [row["id"] for row in listed] == made[::-1]
    assert api.state_of(deployment["id"]) == "success"


def test_a_status_moves_the_date_of_the_deployment(api: GithubClient) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        deployment = api.create()
        clock.shift(dt.timedelta(minutes=5))
        api.status(deployment["id"], "success")
    now = api.get(api.path(deployment["id"])).json()

    assert now["created_at"] == "2026-03-02T12:00:00Z"
    assert now["updated_at"] == "2026-03-02T12:05:00Z"


def test_a_deployment_follows_the_environment_of_its_latest_status(api: GithubClient) -> None:
    deployment = api.create(environment="staging")
    api.status(deployment["id"], "in_progress", environment="qa")
    later = api.status(deployment["id"], "success")
    now = api.get(api.path(deployment["id"])).json()

    assert (now["environment"], now["original_environment"]) == ("qa", "staging")
    assert later["environment"] == "qa"
    assert api.ids("?environment=qa") == [deployment["id"]]
    assert api.ids("?environment=staging") == []


def test_what_was_deployed_elsewhere_at_the_same_stated_time_can_move_there(api: GithubClient, ci: Any) -> None:
    said = {"repositoryFullName": "acme/shop", "deployedAt": "2026-03-01T12:00:00Z"}
    there, here = ci.deploy(**said, environment="qa"), ci.deploy(**said, environment="staging")
    api.status(here.pk, "success", environment="qa")

    assert sorted(api.ids("?environment=qa")) == [there.pk, here.pk]


def test_a_deployment_took_place_when_it_succeeded(api: GithubClient) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        deployment = api.create()
        for state in ("in_progress", "failure", "success", "inactive"):
            clock.shift(dt.timedelta(minutes=1))
            api.status(deployment["id"], state)

    row = Deployment.objects.get()
    assert row.deployed_at == NOON + dt.timedelta(minutes=3)
    assert row.reached_environment
    assert row.lineage_pending


@pytest.mark.parametrize(
    ("states", "reached"),
    [
        (["success"], True),
        (["in_progress", "inactive", "success"], True),
        (["success", "inactive"], True),
        (["success", "failure"], False),
        (["in_progress", "inactive"], False),
        (["error"], False),
    ],
)
def test_inactive_is_not_failed(api: GithubClient, states: list[str], reached: bool) -> None:
    api.deploy(*states)

    assert Deployment.objects.get().reached_environment is reached


def test_addresses_of_the_status_are_those_of_the_deployment(api: GithubClient) -> None:
    deployment = api.create()
    api.status(deployment["id"], "success", log_url="https://ci/1", environment_url="https://shop.example")
    api.status(deployment["id"], "inactive")
    row = Deployment.objects.get()

    assert (row.log_url, row.environment_url) == ("https://ci/1", "https://shop.example")


# --- auto_inactive -------------------------------------------------------------------------------------------


def test_a_success_makes_those_before_it_inactive(api: GithubClient) -> None:
    first, second = api.deploy(environment="staging"), api.create(environment="staging")
    api.status(second["id"], "success")

    assert api.states_of(first["id"]) == ["success", "inactive"]
    assert api.states_of(second["id"]) == ["success"]
    assert Deployment.objects.get(pk=first["id"]).reached_environment, "it was there, whatever replaced it"
    newest = api.get(f"{api.path(first['id'])}/statuses").json()[0]
    assert (newest["environment"], newest["creator"]["login"]) == ("staging", "github-actions")


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        ({"transient_environment": True}, ["success"]),
        ({"production_environment": True}, ["success"]),
        ({}, ["failure"]),
        ({}, ["error"]),
        ({}, ["pending"]),
        ({}, ["in_progress"]),
        ({}, ["success", "inactive"]),
        ({}, ["success", "failure"]),
        ({"environment": "qa"}, ["success"]),
        ({"environment": "production"}, ["success"]),
    ],
)
def test_a_success_leaves_others_alone(api: GithubClient, fields: dict[str, Any], states: list[str]) -> None:
    before = api.deploy(*states, **{"environment": "staging", **fields})
    api.deploy("success", environment="staging")

    assert api.states_of(before["id"]) == states


def test_production_stays_active(api: GithubClient) -> None:
    first, second = api.deploy(), api.deploy()

    assert [api.state_of(row["id"]) for row in (first, second)] == ["success", "success"]


def test_what_was_said_of_production_counts_not_its_name(api: GithubClient) -> None:
    first = api.deploy(production_environment=False)
    api.deploy(production_environment=False)

    assert api.state_of(first["id"]) == "inactive"


@pytest.mark.parametrize("state", [state for state in STATES if state != "success"])
def test_only_success_makes_others_inactive(api: GithubClient, state: str) -> None:
    before = api.deploy(environment="staging")
    api.deploy(state, environment="staging")

    assert api.state_of(before["id"]) == "success"


def test_auto_inactive_can_be_declined(api: GithubClient) -> None:
    before, after = api.deploy(environment="staging"), api.create(environment="staging")
    api.status(after["id"], "success", auto_inactive=False)

    assert api.state_of(before["id"]) == "success"


def test_only_what_was_created_before_becomes_inactive(api: GithubClient) -> None:
    first, second = api.create(environment="staging"), api.create(environment="staging")
    api.status(second["id"], "success")
    api.status(first["id"], "success")

    assert api.state_of(second["id"]) == "success"


def test_another_repository_stays_as_it_is(api: GithubClient) -> None:
    other = GithubClient(full_name="acme/other")
    other.headers = api.headers
    before = other.deploy(environment="staging")
    api.deploy(environment="staging")

    assert other.state_of(before["id"]) == "success"


def test_it_is_the_environment_after_the_status_that_counts(api: GithubClient) -> None:
    in_qa, in_staging = api.deploy(environment="qa"), api.deploy(environment="staging")
    moved = api.create(environment="staging")
    api.status(moved["id"], "success", environment="qa")

    assert api.state_of(in_qa["id"]) == "inactive"
    assert api.state_of(in_staging["id"]) == "success"


@pytest.mark.parametrize("path", ["/999/statuses", "/999/statuses/1", "/{id}/statuses/999", "/{id}/statuses/x"])
def test_what_is_not_there_is_404(api: GithubClient, path: str) -> None:
    deployment = api.deploy()

    assert_error(api.get(api.deployments + path.format(id=deployment["id"])), 404, "Not Found")


def test_a_status_of_another_deployment_is_404(api: GithubClient) -> None:
    first, second = api.create(), api.create()
    status = api.status(first["id"], "success")

    assert_error(api.get(f"{api.path(second['id'])}/statuses/{status['id']}"), 404, "Not Found")


def test_a_status_on_what_is_not_there_is_404(api: GithubClient) -> None:
    api.create()

    assert_error(api.try_status(999, state="success"), 404, "Not Found")
