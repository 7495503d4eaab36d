"""Lists with their pages and filters, and what can be deleted."""

import re

import pytest
import time_machine

from deployments.models import Deployment
from tests.factories import NOON
from tests.github_style.client import SHA, GithubClient, assert_error

pytestmark = pytest.mark.django_db
OTHER = "f" * 40
ACTIVE = "We cannot delete an active deployment unless it is the only deployment in a given environment."


def links(answer: object) -> dict[str, str]:
    """Return the Link header as a dictionary."""
    header = answer.headers.get("Link", "")  # type: ignore[attr-defined]
    return {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', header)}


def test_deployments_are_listed_the_newest_first(api: GithubClient) -> None:
    with time_machine.travel(NOON, tick=False):  # all within one second
        made = [api.create()["id"] for _ in range(3)]

    assert api.ids() == made[::-1]


def test_an_empty_list_is_an_empty_array(api: GithubClient) -> None:
    api.create()

    assert api.get(f"{api.deployments}?environment=nowhere").json() == []


def test_filters_are_exact_and_all_hold(api: GithubClient) -> None:
    one = api.create(ref="main", sha=SHA, task="deploy", environment="qa")["id"]
    two = api.create(ref="main", sha=OTHER, task="migrate", environment="qa")["id"]
    three = api.create(ref="v1", sha=OTHER, environment="staging")["id"]

    assert api.ids("?ref=main") == [two, one]
    assert api.ids("?ref=mai") == []
    assert api.ids(f"?sha={OTHER}") == [three, two]
    assert api.ids(f"?sha={OTHER[:7]}") == []
    assert api.ids("?task=deploy") == [three, one]
    assert api.ids("?environment=qa") == [two, one]
    assert api.ids(f"?environment=qa&sha={OTHER}&ref=main&task=migrate") == [two]
    assert api.ids("?environment=qa&task=deploy&ref=v1") == []
    assert api.ids("?sha=none&ref=none&task=none&environment=none") == [three, two, one]
    assert api.ids("?environment=") == [three, two, one]


def test_pages_are_linked(api: GithubClient) -> None:
    for _ in range(5):
        api.create(environment="a b")
    base = f"http://testserver{api.deployments}"
    query = "environment=a+b&per_page=2&page="
    first = api.get(f"{api.deployments}?environment=a%20b&per_page=2")
    middle = api.get(f"{api.deployments}?environment=a%20b&per_page=2&page=2")
    last = api.get(f"{api.deployments}?environment=a%20b&per_page=2&page=3")

    assert links(first) == {"next": f"{base}?{query}2", "last": f"{base}?{query}3"}
    assert links(middle) == {
        "prev": f"{base}?{query}1",
        "next": f"{base}?{query}3",
        "last": f"{base}?{query}3",
        "first": f"{base}?{query}1",
    }
    assert links(last) == {"prev": f"{base}?{query}2", "first": f"{base}?{query}1"}
    assert [len(answer.json()) for answer in (first, middle, last)] == [2, 2, 1]
    assert api.get(links(first)["next"]).json() == middle.json()


def test_one_page_has_no_links(api: GithubClient) -> None:
    api.create()

    assert "Link" not in api.get(api.deployments).headers


def test_there_are_thirty_a_page_and_a_hundred_at_most(api: GithubClient) -> None:
    template = api.create()
    row = Deployment.objects.get()
    rows = [{**row.__dict__, "id": None} for _ in range(130)]
    for fields in rows:
        fields.pop("_state")
        fields.pop("_was_at", None)
    Deployment.objects.bulk_create(Deployment(**fields) for fields in rows)

    def count(query: str) -> int:
        return len(api.get(f"{api.deployments}{query}").json())

    assert [count(query) for query in ("", "?per_page=100", "?per_page=1000", "?per_page=7")] == [30, 100, 100, 7]
    assert [count(f"?per_page={text}") for text in ("0", "-1", "x", "", "1e3")] == [30] * 5
    assert [count(f"?page={text}") for text in ("0", "-1", "x", "999999", "9" * 30)] == [30, 30, 30, 0, 0]
    assert template["id"] in api.ids("?per_page=100&page=2")


def test_the_number_of_queries_does_not_grow(api: GithubClient, django_assert_max_num_queries: object) -> None:
    for _ in range(4):
        api.deploy("in_progress", "success")
    api.get(api.deployments)
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        assert len(api.ids()) == 4
    newest = api.ids()[0]
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        api.get(f"{api.path(newest)}/statuses")


# --- Deletion ------------------------------------------------------------------------------------------------


def test_the_only_deployment_can_be_deleted(api: GithubClient) -> None:
    deployment = api.deploy()
    answer = api.request("DELETE", api.path(deployment["id"]))

    assert (answer.status_code, answer.content) == (204, b"")
    assert_error(api.get(api.path(deployment["id"])), 404, "Not Found")
    assert_error(api.get(f"{api.path(deployment['id'])}/statuses"), 404, "Not Found")
    assert_error(api.request("DELETE", api.path(deployment["id"])), 404, "Not Found")
    assert api.ids() == []


def test_it_leaves_the_metrics_and_not_the_history(api: GithubClient) -> None:
    deployment = api.deploy()
    api.request("DELETE", api.path(deployment["id"]))

    row = Deployment.objects.get()
    assert row.archived_at is not None
    assert row.lineage_pending
    assert not Deployment.objects.reached().exists()


def test_an_active_one_among_others_cannot_be_deleted(api: GithubClient) -> None:
    api.deploy()
    active = api.deploy()
    body = assert_error(api.request("DELETE", api.path(active["id"])), 422, "Validation Failed")

    assert body["errors"] == [ACTIVE]
    assert body["documentation_url"].endswith("/deployments/deployments#delete-a-deployment")
    assert api.get(api.path(active["id"])).status_code == 200


@pytest.mark.parametrize("state", ["inactive", "failure", "error", "pending", "queued", "in_progress"])
def test_any_status_but_success_makes_it_deletable(api: GithubClient, state: str) -> None:
    api.deploy()
    other = api.deploy("success", state)

    assert api.request("DELETE", api.path(other["id"])).status_code == 204


def test_one_without_a_status_can_be_deleted(api: GithubClient) -> None:
    api.deploy()

    assert api.request("DELETE", api.path(api.create()["id"])).status_code == 204


def test_the_only_one_is_that_of_its_environment(api: GithubClient) -> None:
    api.deploy(environment="production")
    api.deploy(environment="staging")

    assert [api.request("DELETE", api.path(id)).status_code for id in api.ids()] == [204, 204]


def test_all_can_be_set_inactive_and_deleted(api: GithubClient) -> None:
    for _ in range(3):
        api.deploy()
    for id in api.ids():
        api.status(id, "inactive")

    assert [api.request("DELETE", api.path(id)).status_code for id in api.ids()] == [204, 204, 204]


def test_those_deleted_before_do_not_keep_the_last_one(api: GithubClient) -> None:
    first = api.deploy("success", "inactive")
    last = api.deploy()
    api.request("DELETE", api.path(first["id"]))

    assert api.request("DELETE", api.path(last["id"])).status_code == 204
