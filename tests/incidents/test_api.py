"""/v1/incidents: monitors open, change and resolve incidents."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.models import ApiKey, FormerName, Incident, Repository, Workspace
from tests.factories import NOON, make_deployment, make_key, make_track
from tests.incidents.conftest import make_body
from tests.machines import RATE_LIMIT_HEADERS, Machine, assert_problem, faults_of

pytestmark = pytest.mark.django_db
Opened = Callable[..., dict[str, Any]]
MINUTE = dt.timedelta(minutes=1)


def ids(answer: Any) -> list[int]:
    """Return the ids of a list."""
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


class TestOpening:
    def test_it_reads_as_it_was_told(self, monitor: Machine) -> None:
        body = make_body(url="https://status.example/1", startedAt="2026-03-02T13:30:00+01:00", externalId="pd-1")

        answer = monitor.post("/v1/incidents", body)

        shown = answer.json()
        assert answer.status_code == 201
        assert answer["Location"] == f"http://testserver/v1/incidents/{shown['id']}"
        assert monitor.get(answer["Location"].removeprefix("http://testserver")).json() == shown
        assert all(name in answer for name in RATE_LIMIT_HEADERS)
        assert {name: shown[name] for name in shown if not re.search("cause|createdAt|^id$", name)} == {
            "title": "Checkout is down",
            "app": "api",
            "repository": "acme/backend",
            "environment": "production",
            "state": "open",
            "startedAt": "2026-03-02T12:30:00Z",
            "resolvedAt": None,
            "durationSeconds": None,
            "url": "https://status.example/1",
            "source": "api",
            "externalId": "pd-1",
            "isWithdrawn": False,
        }

    def test_one_that_is_over_already_says_how_long_it_took(self, opened: Opened) -> None:
        shown = opened(resolvedAt="2026-03-02T14:00:00Z")

        assert (shown["state"], shown["durationSeconds"]) == ("resolved", 5400)

    def test_names_are_found_in_any_case_and_under_a_former_name(self, opened: Opened, workspace: Workspace) -> None:
        repository = Repository.objects.get(full_name="acme/backend")
        FormerName.objects.create(workspace=workspace, repository=repository, full_name_key="acme/old")

        shown = opened(app=" API ", environment="Production", repository="Acme/Old")

        assert (shown["app"], shown["environment"], shown["repository"]) == ("api", "production", "acme/backend")

    def test_the_deployment_that_caused_it_tells_where_it_was(self, opened: Opened, workspace: Workspace) -> None:
        cause = make_deployment(make_track(workspace, app="web", environment="eu"))

        shown = opened(app=None, environment=None, causeDeployment=cause.pk)

        assert (shown["app"], shown["environment"], shown["repository"]) == ("web", "eu", "acme/backend")
        assert (shown["causeDeployment"], shown["causeIsPinned"]) == (cause.pk, True)
        assert shown["cause"]["version"] == cause.version

    def test_the_cause_may_be_another_application(self, opened: Opened, workspace: Workspace) -> None:
        cause = make_deployment(make_track(workspace, app="web"))

        assert opened(causeDeployment=cause.pk)["app"] == "api"

    @pytest.mark.parametrize(("said", "pinned"), [("auto", False), ("none", True), (None, False)])
    def test_the_cause_is_left_to_the_rules_unless_somebody_says_that_there_is_none(
        self, monitor: Machine, said: Any, pinned: bool
    ) -> None:
        shown = monitor.post("/v1/incidents", {**make_body(), "causeDeployment": said}).json()

        assert shown["causeIsPinned"] is pinned
        assert pinned <= (shown["causeDeployment"] is None)

    def test_whatever_the_rules_have_to_say_is_asked(self, opened: Opened) -> None:
        row = Incident.objects.get(pk=opened()["id"])

        assert row.cause_pending or row.cause is not None


class TestTheSameAgain:
    def test_a_monitor_may_repeat_itself(self, monitor: Machine, opened: Opened) -> None:
        first = opened(externalId="pd-1")

        again = monitor.post("/v1/incidents", make_body(externalId="pd-1"))

        assert (again.status_code, again.json()) == (200, first)
        assert again["Location"].endswith(f"/{first['id']}")
        assert Incident.objects.count() == 1

    def test_what_it_says_then_is_taken_and_the_rest_stays(self, monitor: Machine, opened: Opened) -> None:
        first = opened(externalId="pd-1", url="https://status.example/1", causeDeployment="none")

        over = monitor.post("/v1/incidents", make_body(externalId="pd-1", resolvedAt="2026-03-02T13:00:00Z")).json()
        again = monitor.post("/v1/incidents", make_body(externalId="pd-1", title="Slow")).json()

        assert over == {**first, "state": "resolved", "resolvedAt": "2026-03-02T13:00:00Z", "durationSeconds": 1800}
        assert again == {**over, "title": "Slow"}

    def test_one_that_was_withdrawn_stays_so(self, monitor: Machine, opened: Opened) -> None:
        path = f"/v1/incidents/{opened(externalId='pd-1')['id']}"
        monitor.request("DELETE", path)

        assert monitor.post("/v1/incidents", make_body(externalId="pd-1")).json()["isWithdrawn"] is True

    def test_without_an_id_each_is_another(self, opened: Opened) -> None:
        assert opened()["id"] != opened()["id"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"title": None}, ("title", "required")),
        ({"title": "  "}, ("title", "blank")),
        ({"title": "x" * 501}, ("title", "max_length")),
        ({"title": 7}, ("title", "invalid")),
        ({"title": "a\x00b"}, ("title", "null_characters_not_allowed")),
        ({"app": None}, ("app", "required")),
        ({"app": "nothing"}, ("app", "does_not_exist")),
        ({"app": ["api"]}, ("app", "invalid")),
        ({"repository": "acme/other"}, ("app", "does_not_exist")),
        ({"environment": None}, ("environment", "required")),
        ({"environment": "moon"}, ("environment", "does_not_exist")),
        ({"startedAt": None}, ("startedAt", "required")),
        ({"startedAt": "today"}, ("startedAt", "invalid")),
        ({"startedAt": "2026-03-02T12:30:00"}, ("startedAt", "no_offset")),
        ({"startedAt": "1969-12-31T12:00:00Z"}, ("startedAt", "out_of_range")),
        ({"startedAt": "2999-12-31T12:00:00Z"}, ("startedAt", "out_of_range")),
        ({"resolvedAt": "2026-03-02T12:29:59Z"}, ("resolvedAt", "out_of_range")),
        ({"resolvedAt": 12}, ("resolvedAt", "invalid")),
        ({"url": "javascript:alert(1)"}, ("url", "invalid")),
        ({"url": "https://" + "x" * 2000}, ("url", "max_length")),
        ({"causeDeployment": 2**40}, ("causeDeployment", "does_not_exist")),
        ({"causeDeployment": 10**30}, ("causeDeployment", "does_not_exist")),
        ({"causeDeployment": -1}, ("causeDeployment", "does_not_exist")),
        ({"causeDeployment": True}, ("causeDeployment", "invalid")),
        ({"causeDeployment": "v1"}, ("causeDeployment", "invalid")),
        ({"externalId": "x" * 101}, ("externalId", "max_length")),
    ],
)
def test_what_cannot_be_taken_is_422(monitor: Machine, changes: dict[str, Any], fault: tuple[str, str]) -> None:
    answer = monitor.post("/v1/incidents", make_body(**changes))

    assert_problem(answer, 422)
    assert faults_of(answer) == {fault}
    assert not Incident.objects.exists()


def test_every_fault_is_named_at_once(monitor: Machine) -> None:
    answer = monitor.post(
        "/v1/incidents", make_body(title="", app="nothing", url="x", startedAt="2026-03-02T12:30:00Z",
                                   resolvedAt="2026-03-01T12:30:00Z", causeDeployment="x", environment=None)
    )  # fmt: skip

    assert {field for field, _ in faults_of(answer)} == {
        "title", "app", "url", "resolvedAt", "causeDeployment", "environment",
    }  # fmt: skip
    assert {field for field, _ in faults_of(monitor.post("/v1/incidents", {}))} == {
        "title", "app", "environment", "startedAt",
    }  # fmt: skip


@pytest.mark.parametrize("body", [[], "x", 7, None])
def test_a_body_that_is_no_object_is_422(monitor: Machine, body: Any) -> None:
    assert faults_of(monitor.post("/v1/incidents", body)) == {("body", "invalid")}


def test_a_name_that_several_have_needs_the_repository(monitor: Machine, workspace: Workspace) -> None:
    make_track(workspace, repository="acme/other")

    answer = monitor.post("/v1/incidents", make_body())
    assert faults_of(answer) == {("app", "ambiguous")}
    assert "acme/backend, acme/other" in answer.json()["errors"][0]["message"]
    told = monitor.post("/v1/incidents", make_body(repository="acme/other"))
    assert (told.status_code, told.json()["repository"]) == (201, "acme/other")


class TestChanging:
    def change(self, monitor: Machine, shown: dict[str, Any], **changes: Any) -> dict[str, Any]:
        answer = monitor.request("PATCH", f"/v1/incidents/{shown['id']}", changes)
        assert answer.status_code == 200, answer.content
        return answer.json()  # type: ignore[no-any-return]

    def test_it_is_resolved_and_opened_again(self, monitor: Machine, opened: Opened) -> None:
        first = opened()

        over = self.change(monitor, first, resolvedAt="2026-03-02T13:00:00Z")
        again = self.change(monitor, first, resolvedAt=None)

        assert (over["state"], over["durationSeconds"]) == ("resolved", 1800)
        assert again == first

    def test_what_is_left_out_stays(self, monitor: Machine, opened: Opened) -> None:
        first = opened(url="https://status.example/1")

        assert self.change(monitor, first) == first
        assert self.change(monitor, first, title="Slow") == {**first, "title": "Slow"}

    def test_what_was_answered_can_be_sent_back(self, monitor: Machine, opened: Opened) -> None:
        first = opened(causeDeployment="none")

        assert self.change(monitor, first, **first) == first

    def test_null_takes_away(self, monitor: Machine, opened: Opened) -> None:
        shown = self.change(monitor, opened(url="https://x"), url=None, app=None, environment=None)

        assert (shown["url"], shown["app"], shown["environment"], shown["repository"]) == ("", None, None, None)

    def test_the_cause_is_said_and_left_to_the_rules_again(
        self, monitor: Machine, opened: Opened, workspace: Workspace
    ) -> None:
        first, cause = opened(), make_deployment(make_track(workspace, app="web"))

        told = self.change(monitor, first, causeDeployment=cause.pk)
        none = self.change(monitor, first, causeDeployment=None)
        auto = self.change(monitor, first, causeDeployment="auto")

        assert (told["causeDeployment"], told["causeIsPinned"]) == (cause.pk, True)
        assert (none["causeDeployment"], none["causeIsPinned"]) == (None, True)
        assert auto["causeIsPinned"] is False

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"title": None}, ("title", "null")),
            ({"startedAt": None}, ("startedAt", "null")),
            ({"startedAt": "2026-03-02T15:00:00Z"}, ("resolvedAt", "out_of_range")),
            ({"resolvedAt": "2026-03-02T12:00:00Z"}, ("resolvedAt", "out_of_range")),
            ({"repository": "acme/backend"}, ("app", "required")),
        ],
    )
    def test_what_cannot_be_taken_is_422(
        self, monitor: Machine, opened: Opened, changes: dict[str, Any], fault: tuple[str, str]
    ) -> None:
        first = opened(resolvedAt="2026-03-02T14:00:00Z")

        answer = monitor.request("PATCH", f"/v1/incidents/{first['id']}", changes)

        assert_problem(answer, 422)
        assert faults_of(answer) == {fault}
        assert monitor.get(f"/v1/incidents/{first['id']}").json() == first

    def test_one_that_was_none_is_withdrawn_and_kept(self, monitor: Machine, opened: Opened) -> None:
        path = f"/v1/incidents/{opened()['id']}"

        assert monitor.request("DELETE", path).status_code == 204
        assert monitor.request("DELETE", path).status_code == 204

        assert monitor.get(path).json()["isWithdrawn"] is True
        assert ids(monitor.get("/v1/incidents")) == []
        assert len(ids(monitor.get("/v1/incidents?withdrawn=true"))) == 1
        assert monitor.post(f"{path}/restore").json()["isWithdrawn"] is False
        assert len(ids(monitor.get("/v1/incidents"))) == 1


class TestReading:
    @pytest.fixture
    def several(self, workspace: Workspace) -> dict[str, int]:
        """Incidents that differ in one thing each."""
        usual = make_track(workspace)

        def make(started_at: dt.datetime = NOON, **fields: Any) -> int:
            track = fields.pop("track", usual)
            place = {} if track is None else {"application": track.application, "environment": track.environment}
            repository = track.application.repository if track else None
            return Incident.objects.create(
                workspace=workspace, title="x", started_at=started_at, repository=repository, **place, **fields
            ).pk

        web = make_track(workspace, app="Web")
        return {
            "usual": make(resolved_at=NOON + MINUTE),
            "open": make(),
            "app": make(track=web, resolved_at=NOON),
            "cause": make(track=None, cause=make_deployment(web), resolved_at=NOON),
            "environment": make(track=make_track(workspace, environment="Staging"), resolved_at=NOON),
            "repository": make(track=make_track(workspace, app="x", repository="acme/other"), resolved_at=NOON),
            "earlier": make(NOON - 1440 * MINUTE, resolved_at=NOON),
            "later": make(NOON + 1440 * MINUTE, resolved_at=NOON + 1500 * MINUTE),
        }

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("state=open", {"open"}),
            ("state=open&state=resolved&app=web", {"app", "cause"}),
            ("app=%20WEB", {"app", "cause"}),
            ("environment=staging", {"environment"}),
            ("repository=acme/other", {"repository"}),
            ("to=2026-03-01", {"earlier"}),
            ("from=2026-03-03", {"later"}),
            ("from=2026-03-03T13:00:00%2B01:00", {"later"}),
            ("app=nothing", set()),
        ],
    )
    def test_the_list_can_be_narrowed_down(
        self, monitor: Machine, several: dict[str, int], query: str, names: set[str]
    ) -> None:
        assert set(ids(monitor.get(f"/v1/incidents?{query}"))) == {several[name] for name in names}

    @pytest.mark.parametrize(
        ("query", "field"), [("state=bad", "state"), ("from=yesterday", "from"), ("cursor=x", "cursor")]
    )
    def test_a_filter_that_says_nothing_is_422(self, monitor: Machine, query: str, field: str) -> None:
        assert {name for name, _ in faults_of(monitor.get(f"/v1/incidents?{query}"))} == {field}

    def test_the_list_is_latest_first_in_pages_that_show_each_once(
        self, monitor: Machine, workspace: Workspace
    ) -> None:
        made = [
            Incident.objects.create(workspace=workspace, title="x", started_at=NOON + number // 7 * MINUTE)
            for number in range(30)
        ]
        expected = [row.pk for row in sorted(made, key=lambda row: (row.started_at, row.pk), reverse=True)]

        seen, path = [], "/v1/incidents?limit=4"
        while path:
            answer = monitor.get(path)
            seen += ids(answer)
            path = answer.json()["next"]

        assert seen == expected

    def test_the_list_takes_as_many_queries_however_long_it_is(
        self, monitor: Machine, several: dict[str, int], workspace: Workspace, django_assert_max_num_queries: Any,
        django_assert_num_queries: Any,
    ) -> None:  # fmt: skip
        monitor.get("/v1/incidents")
        with django_assert_max_num_queries(6) as few:
            monitor.get("/v1/incidents")
        for number in range(20):
            track = make_track(workspace, app=f"app{number}", repository=f"acme/{number}")
            Incident.objects.create(
                workspace=workspace, title="x", started_at=NOON, application=track.application,
                cause=make_deployment(track),
            )  # fmt: skip
        with django_assert_num_queries(len(few)):
            assert len(ids(monitor.get("/v1/incidents"))) == 28


class TestWhoMay:
    def test_nobody_sees_or_changes_the_incidents_of_others(self, stranger: Machine, opened: Opened) -> None:
        path = f"/v1/incidents/{opened()['id']}"

        assert ids(stranger.get("/v1/incidents")) == []
        for method, where in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/restore")]:
            assert_problem(stranger.request(method, path + where, {"title": "Mine"}), 404)
        assert Incident.objects.get().title == "Checkout is down"

    def test_neither_applications_nor_deployments_of_others_can_be_named(
        self, stranger: Machine, opened: Opened, workspace: Workspace
    ) -> None:
        deployment = make_deployment(make_track(workspace))
        answer = stranger.post("/v1/incidents", make_body(causeDeployment=deployment.pk))

        assert faults_of(answer) == {
            ("app", "does_not_exist"),
            ("environment", "does_not_exist"),
            ("causeDeployment", "does_not_exist"),
        }

    def test_an_id_beyond_all_ids_is_404(self, monitor: Machine) -> None:
        assert_problem(monitor.get(f"/v1/incidents/{10**30}"), 404)

    def test_the_same_external_id_of_another_workspace_is_another(self, stranger: Machine, opened: Opened) -> None:
        opened(externalId="pd-1")
        theirs = ApiKey.objects.exclude(workspace=Incident.objects.get().workspace).get().workspace
        make_track(theirs)

        assert stranger.post("/v1/incidents", make_body(externalId="pd-1")).status_code == 201

    @pytest.mark.parametrize(
        ("scope", "method", "status"),
        [
            ("incidents:read", "GET", 200),
            ("incidents:read", "POST", 403),
            ("incidents:write", "GET", 403),
            ("incidents:write", "POST", 201),
            ("deployments:write", "POST", 403),
        ],
    )
    def test_a_key_needs_the_scope(self, workspace: Workspace, scope: str, method: str, status: int) -> None:
        make_track(workspace)
        answer = Machine(make_key(workspace, scopes=[scope])).request(method, "/v1/incidents", make_body())

        assert answer.status_code == status
        assert status != 403 or "insufficient_scope" in answer["WWW-Authenticate"]

    def test_without_a_key_it_is_401(self) -> None:
        assert_problem(Machine().post("/v1/incidents", make_body()), 401)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)) | st.sampled_from(["api", "production", "auto", "2026-03-02T12:30:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
_FIELDS = [
    "title", "app", "repository", "environment", "startedAt", "resolvedAt", "causeDeployment", "url", "externalId",
]  # fmt: skip


@given(body=st.dictionaries(st.sampled_from(_FIELDS), _ANYTHING))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_gets_an_answer(monitor: Machine, body: dict[str, Any]) -> None:
    row, _ = Incident.objects.get_or_create(workspace=Workspace.objects.get(), external_id="x", started_at=NOON)
    path = f"/v1/incidents/{row.pk}"

    for answer in (
        monitor.post("/v1/incidents", body),
        monitor.post("/v1/incidents", {**make_body(), **body}),
        monitor.request("PATCH", path, body),
    ):
        assert answer.status_code in (200, 201, 422, 429), answer.content
