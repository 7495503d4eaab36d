"""GET /v1/environments: what runs where, since when, and how much waits behind it."""

from typing import Any

import pytest

from deployments.models import Workspace
from tests.factories import HOUR, NOON, make_deployment, make_key, make_track
from tests.machines import Machine, assert_problem

pytestmark = pytest.mark.django_db


def running(answer: Any) -> dict[str, list[str]]:
    """Return the names of what runs, by environment."""
    assert answer.status_code == 200, answer.content
    return {row["name"]: [one["app"] for one in row["running"]] for row in answer.json()["results"]}


def test_it_tells_what_runs_and_how_much_waits(ci: Machine, workspace: Workspace) -> None:
    track = make_track(workspace)
    track.waiting_changes, track.waiting_since = 3, NOON
    track.save()
    make_deployment(track, NOON, version="v1")
    now = make_deployment(track, NOON + HOUR, version="v2", author="ada")
    make_deployment(track, NOON + 2 * HOUR, version="v3", state="failure")
    make_deployment(track, NOON + 2 * HOUR, version="v4", archived_at=NOON)

    (environment,) = ci.get("/v1/environments").json()["results"]

    assert environment == {
        "id": track.environment_id,
        "name": "production",
        "production": True,
        "running": [
            {
                "app": "api",
                "repository": "acme/backend",
                "deployment": now.pk,
                "version": "v2",
                "commitHash": now.commit_sha,
                "deployedAt": "2026-03-02T13:00:00Z",
                "author": "ada",
                "waitingChanges": 3,
                "waitingSince": "2026-03-02T12:00:00Z",
            }
        ],
    }


def test_what_waits_is_null_where_it_is_not_known(ci: Machine, workspace: Workspace) -> None:
    make_deployment(make_track(workspace))

    (one,) = ci.get("/v1/environments").json()["results"][0]["running"]
    assert (one["waitingChanges"], one["waitingSince"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"production": ["api", "web"], "staging": ["api"], "empty": []}),
        ("environment=Production", {"production": ["api", "web"]}),
        ("environment=empty", {"empty": []}),
        ("app=WEB", {"production": ["web"]}),
        ("app=api&app=web", {"production": ["api", "web"], "staging": ["api"]}),
        ("repository=acme/other", {"production": ["web"]}),
        ("app=nothing", {}),
    ],
)
def test_it_can_be_narrowed_down(
    ci: Machine, workspace: Workspace, query: str, expected: dict[str, list[str]]
) -> None:
    make_deployment(make_track(workspace, app="web", repository="acme/other"))
    make_deployment(make_track(workspace))
    make_deployment(make_track(workspace, environment="staging"))
    make_deployment(make_track(workspace, environment="empty"), state="failure")

    assert running(ci.get(f"/v1/environments?{query}")) == expected


def test_a_filter_that_cannot_be_read_is_422(ci: Machine) -> None:
    assert_problem(ci.get("/v1/environments?app=%00"), 422)


def test_it_takes_as_many_queries_however_much_runs(
    ci: Machine, workspace: Workspace, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    make_deployment(make_track(workspace))
    ci.get("/v1/environments")
    with django_assert_max_num_queries(6) as few:
        ci.get("/v1/environments")
    for number in range(12):
        make_deployment(
            make_track(workspace, app=f"a{number}", environment=f"e{number % 4}", repository=f"acme/{number}")
        )
    with django_assert_num_queries(len(few)):
        assert len(ci.get("/v1/environments").json()["results"]) == 5


def test_others_see_nothing_of_it_and_a_key_needs_the_scope(other_ci: Machine, workspace: Workspace) -> None:
    make_deployment(make_track(workspace))

    assert running(other_ci.get("/v1/environments")) == {}
    assert_problem(Machine(make_key(workspace, scopes=["incidents:read"])).get("/v1/environments"), 403)
    assert_problem(Machine().get("/v1/environments"), 401)
