"""GET /v1/deployments: reading back what was reported, archiving it and bringing it back."""

import datetime as dt
from typing import Any

import pytest

from deployments.models import Deployment, Workspace
from deployments.processing import finish_pending_work
from tests.factories import NOON, make_change, make_deployment, make_track
from tests.machines import Machine, assert_problem, faults_of

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def ids(answer: Any) -> list[int]:
    """Return the ids of a list."""
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_a_deployment_reads_as_it_was_reported(ci: Machine) -> None:
    deployment = ci.deploy(
        description="Release",
        author="jane-doe",
        deployedAt="2026-03-01T14:00:00+02:00",
        monorepoPath="services/api",
        environmentUrl="https://acme.example",
        logUrl="https://ci.example/42",
    )

    (listed,) = ci.get("/v1/deployments").json()["results"]
    assert listed.pop("createdAt").endswith("Z")
    assert listed == {
        "id": deployment.pk,
        "app": "backend-api",
        "environment": "production",
        "repositoryFullName": "acme/backend",
        "version": "v1.4.2",
        "commitHash": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2",
        "description": "Release",
        "author": "jane-doe",
        "monorepoPath": "services/api",
        "state": "success",
        "deployedAt": "2026-03-01T12:00:00Z",
        "changeKind": "baseline",
        "changesCount": 0,
        "historyComplete": False,
        "environmentUrl": "https://acme.example",
        "logUrl": "https://ci.example/42",
        "sources": ["api"],
        "archivedAt": None,
    }


def test_a_deployment_alone_shows_its_changes_and_what_ran_before(ci: Machine) -> None:
    ci.deploy(
        version="v1",
        commitHash="a" * 40,
        deployedAt="2026-03-01T12:00:00Z",
        commits=[{"sha": "a" * 40, "parents": []}],
    )
    commits = [
        {
            "sha": "b" * 40,
            "parents": ["a" * 40],
            "authoredAt": "2026-03-01T13:00:00Z",
            "message": "Fix\n\nmore",
            "author": "Ada",
        }
    ]
    second = ci.deploy(version="v2", commitHash="b" * 40, deployedAt="2026-03-01T14:00:00Z", commits=commits)

    shown = ci.get(f"/v1/deployments/{second.pk}").json()
    assert shown["changes"] == [
        {
            "sha": "b" * 40,
            "message": "Fix",
            "author": "Ada",
            "startedAt": "2026-03-01T13:00:00Z",
            "leadTimeSeconds": 3600,
            "stages": None,
            "pullRequest": None,
            "clockWasAhead": False,
            "filesUnknown": False,
        }
    ]
    assert shown["changeKind"] == "forward"
    assert shown["previous"]["version"] == "v1"
    assert [status["state"] for status in shown["statuses"]] == ["success"]
    assert shown["unknownCommits"] == []


def test_the_list_is_newest_first_in_pages_that_show_each_once(ci: Machine, workspace: Workspace) -> None:
    track = make_track(workspace)
    # Many of one moment: the place in the list is told by more than the time.
    made = [make_deployment(track, NOON + HOUR * (number // 7)) for number in range(40)]
    expected = [row.pk for row in sorted(made, key=lambda row: (row.deployed_at, row.pk), reverse=True)]

    seen, path = [], "/v1/deployments?limit=3&environment=Production"
    while path:
        answer = ci.get(path)
        seen += ids(answer)
        path = answer.json()["next"]
        if len(seen) == 9:
            make_deployment(track, NOON + HOUR * 100)  # arrives meanwhile

    assert seen == expected


def test_a_page_has_50_unless_it_is_said_and_200_at_most(ci: Machine, workspace: Workspace) -> None:
    track = make_track(workspace)
    for _ in range(205):
        make_deployment(track)

    assert len(ids(ci.get("/v1/deployments"))) == 50
    assert len(ids(ci.get("/v1/deployments?limit=1000"))) == 200
    assert ci.get("/v1/deployments?limit=200").json()["next"].startswith("http://testserver/v1/deployments?")


def test_the_list_takes_as_many_queries_however_long_it_is(
    ci: Machine, workspace: Workspace, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    make_deployment(make_track(workspace))
    ci.get("/v1/deployments")
    with django_assert_max_num_queries(6) as few:
        ci.get("/v1/deployments")
    count = len(few)
    for number in range(30):
        make_deployment(make_track(workspace, app=f"app{number}", repository=f"acme/{number}"))
    with django_assert_num_queries(count):
        assert len(ids(ci.get("/v1/deployments"))) == 31


def test_one_takes_as_many_queries_however_much_it_shipped(
    ci: Machine, workspace: Workspace, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    deployment = make_deployment(make_track(workspace))
    path = f"/v1/deployments/{deployment.pk}"
    make_change(deployment, HOUR)
    ci.get(path)
    with django_assert_max_num_queries(10) as few:
        ci.get(path)
    count = len(few)
    for _ in range(30):
        make_change(deployment, HOUR)
    with django_assert_num_queries(count):
        assert len(ci.get(path).json()["changes"]) == 31


@pytest.fixture
def fleet(workspace: Workspace) -> dict[str, int]:
    """Deployments that differ in one thing each."""
    usual = make_track(workspace)
    return {
        "usual": make_deployment(usual, author="ada").pk,
        "app": make_deployment(make_track(workspace, app="Web")).pk,
        "environment": make_deployment(make_track(workspace, environment="Staging")).pk,
        "repository": make_deployment(make_track(workspace, app="x", repository="Acme/Other")).pk,
        "author": make_deployment(usual, author="grace").pk,
        "state": make_deployment(usual, state="failure").pk,
        "changeKind": make_deployment(usual, change_kind="rollback").pk,
        "earlier": make_deployment(usual, NOON - dt.timedelta(days=1)).pk,
        "later": make_deployment(usual, NOON + dt.timedelta(days=1)).pk,
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("app=web", {"app"}),
        ("app=%20WEB%20", {"app"}),
        ("environment=staging", {"environment"}),
        ("repository=acme/other", {"repository"}),
        ("author=grace", {"author"}),
        ("author=grace&author=ada", {"author", "usual"}),
        ("state=failure", {"state"}),
        ("state=failure&app=web", set()),
        ("changeKind=rollback", {"changeKind"}),
        ("app=nothing", set()),
        ("to=2026-03-01", {"earlier"}),
        ("from=2026-03-03", {"later"}),
        ("from=2026-03-03T11:00:00Z", {"later"}),
        ("from=2026-03-03T13:00:00+01:00", {"later"}),
        ("from=2026-03-03T13:00:00%2B01:00", {"later"}),
        ("from=2026-03-03T12:00:01Z", set()),
        ("to=2026-03-01T12:00:00Z", set()),
        ("to=2026-03-01T12:00:01Z", {"earlier"}),
        ("from=2026-03-01&to=2026-03-01", {"earlier"}),
    ],
)
def test_the_list_can_be_narrowed_down(ci: Machine, fleet: dict[str, int], query: str, names: set[str]) -> None:
    assert set(ids(ci.get(f"/v1/deployments?{query}"))) == {fleet[name] for name in names}


def test_a_day_is_a_day_of_the_workspace(ci: Machine, workspace: Workspace) -> None:
    workspace.time_zone = "Pacific/Auckland"  # 13 hours ahead of UTC
    workspace.save()
    row = make_deployment(make_track(workspace), dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC))

    assert ids(ci.get("/v1/deployments?from=2026-03-02&to=2026-03-02")) == [row.pk]
    assert ids(ci.get("/v1/deployments?from=2026-03-01&to=2026-03-01")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-03-01T12:00:00", "from"),
        ("state=excellent", "state"),
        ("changeKind=sideways", "changeKind"),
        ("cursor=made-up", "cursor"),
    ],
)
def test_a_filter_that_says_nothing_is_422(ci: Machine, query: str, field: str) -> None:
    answer = ci.get(f"/v1/deployments?{query}")

    assert_problem(answer, 422)
    assert {name for name, _ in faults_of(answer)} == {field}


def test_an_archived_deployment_leaves_the_metrics_and_not_the_history(ci: Machine) -> None:
    first = ci.deploy(version="v1", deployedAt="2026-03-01T12:00:00Z")
    second = ci.deploy(version="v2", deployedAt="2026-03-01T13:00:00Z")
    path = f"/v1/deployments/{first.pk}"

    assert ci.request("DELETE", path).status_code == 204
    assert ci.request("DELETE", path).status_code == 204
    finish_pending_work()

    assert ids(ci.get("/v1/deployments")) == [second.pk]
    assert ids(ci.get("/v1/deployments?archived=true")) == [second.pk, first.pk]
    assert ci.get(path).json()["archivedAt"]
    assert ci.get(f"/v1/deployments/{second.pk}").json()["previous"] is None
    assert ci.get(f"/v1/deployments/{second.pk}").json()["changeKind"] == "baseline"
    assert [row.pk for row in Deployment.objects.reached()] == [second.pk]


def test_a_restored_deployment_is_back(ci: Machine) -> None:
    first = ci.deploy(version="v1", deployedAt="2026-03-01T12:00:00Z")
    second = ci.deploy(version="v2", deployedAt="2026-03-01T13:00:00Z")
    before = [ci.get(f"/v1/deployments/{row.pk}").json() for row in (first, second)]
    ci.request("DELETE", f"/v1/deployments/{first.pk}")
    finish_pending_work()

    restored = ci.post(f"/v1/deployments/{first.pk}/restore")
    finish_pending_work()

    assert restored.status_code == 200
    assert restored.json()["archivedAt"] is None
    assert [ci.get(f"/v1/deployments/{row.pk}").json() for row in (first, second)] == before


def test_reporting_an_archived_deployment_again_leaves_it_archived(ci: Machine) -> None:
    first = ci.deploy(deployedAt="2026-03-01T12:00:00Z")
    ci.request("DELETE", f"/v1/deployments/{first.pk}")

    assert ci.deploy(deployedAt="2026-03-01T12:00:00Z") == first
    assert ids(ci.get("/v1/deployments")) == []
