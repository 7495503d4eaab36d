"""Whatever is sent, the answer says what is wrong with it, and it is never a 5xx."""

import datetime as dt
import json
from typing import Any
from unittest.mock import ANY
from wsgiref.util import setup_testing_defaults

import pytest
import time_machine
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.wsgi import application
from deployments.models import Job, RefusedRequest, Workspace
from tests.factories import NOON, make_key
from tests.machines import RATE_LIMIT_HEADERS, Machine, assert_problem, faults_of, make_report

pytestmark = [pytest.mark.django_db, pytest.mark.once]

MIB = 1024 * 1024
REPORT = json.dumps(make_report())
REQUIRED = ["repositoryFullName", "environment", "app", "version", "commitHash"]
LONGEST = {
    "repositoryFullName": 255,
    "environment": 255,
    "app": 255,
    "version": 70,
    "commitHash": 70,
    "description": 255,
    "author": 255,
    "monorepoPath": 255,
    "environmentUrl": 2000,
    "logUrl": 2000,
}


def with_raw(field: str, raw: str) -> bytes:
    """Return a report in which the value of a field stands as it is written here."""
    report = make_report(**{field: "PLACE"})
    return json.dumps(report).replace('"PLACE"', raw).encode()


NOT_JSON = {
    "nothing": b"",
    "blank": b" \r\n\t ",
    "a form": b"app=api&version=1",
    "XML": b"<report/>",
    "single quotes": b"{'app': 'api'}",
    "a comment": b"{/* hello */}",
    "a comma too many": b'{"app": "api",}',
    "cut off in the middle": REPORT[: len(REPORT) // 2].encode(),
    "two objects": b"{}{}",
    "NaN": with_raw("deployedAt", "NaN"),
    "Infinity": with_raw("extra", "Infinity"),
    "-Infinity": with_raw("extra", "-Infinity"),
    "UTF-16": REPORT.encode("utf-16"),
    "UTF-16 without a mark": REPORT.encode("utf-16-le"),
    "UTF-32": REPORT.encode("utf-32"),
    "latin-1": json.dumps(make_report(author="Jürgen"), ensure_ascii=False).encode("latin-1"),
    "a bare NUL": b"\x00",
    "a NUL in a text": with_raw("author", '"a\x00b"'),
    "a NUL behind the end": REPORT.encode() + b"\x00",
    "a surrogate in UTF-8": b'{"author": "\xed\xa0\x80"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00C\xbf\xa6\xa3\x02\x00\x00\x00",
    "100,000 lists": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 lists in a field": with_raw("extra", "[" * 100_000 + "]" * 100_000),
    "100,000 lists never closed": b"[" * 100_000,
    "a number of 5,000 digits": with_raw("version", "9" * 5000),
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_400(ci: Machine, body: bytes) -> None:
    problem = assert_problem(ci.report(body), 400)

    assert "errors" not in problem
    assert len(problem["detail"]) < 200
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (REPORT.encode("utf-16"), "UTF-8"),
        (b"[" * 100_000, "nested"),
        (with_raw("version", "9" * 5000), "digits"),
        (with_raw("version", "NaN"), "NaN"),
    ],
)
def test_a_400_says_what_is_wrong_with_the_body(ci: Machine, body: bytes, word: str) -> None:
    assert word in assert_problem(ci.report(body), 400)["detail"]


def test_a_400_tells_nothing_of_the_machinery(ci: Machine) -> None:
    assert "sys." not in assert_problem(ci.report(with_raw("version", "9" * 5000)), 400)["detail"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true", b"1e40", b"[{}]"])
def test_json_that_is_no_object_is_422(ci: Machine, body: bytes) -> None:
    answer = ci.report(body)

    assert_problem(answer, 422)
    assert faults_of(answer) == {("body", "invalid")}


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "x-nonsense"])
def test_a_compressed_body_is_415(ci: Machine, encoding: str) -> None:
    assert_problem(ci.post("/v1/deployments", make_report(), Content_Encoding=encoding), 415)


@pytest.mark.parametrize(
    "charset", ["utf-16", "latin-1", "ascii", "nonsense", "hex", "idna", "undefined", "unicode_escape"]
)
def test_a_query_is_utf_8_whatever_the_content_type_says(charset: str) -> None:
    environ = {"QUERY_STRING": "branch=m%C3%A4in", "CONTENT_TYPE": f"application/json; charset={charset}"}
    setup_testing_defaults(environ)

    assert application.request_class(environ).GET["branch"] == "mäin"


@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_field_is_named(ci: Machine, field: str) -> None:
    answer = ci.report(**{field: None})

    assert_problem(answer, 422)
    assert answer.json()["errors"] == [{"field": field, "message": "This field is required.", "code": "required"}]


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize(("text", "code"), [("", "blank"), (" \n\t\u3000 ", "blank")])
def test_a_required_text_may_not_be_empty(ci: Machine, field: str, text: str, code: str) -> None:
    answer = ci.report(**{field: text})

    assert_problem(answer, 422)
    assert faults_of(answer) == {(field, code)}


@pytest.mark.parametrize("field", REQUIRED)
def test_a_required_field_may_not_be_null(ci: Machine, field: str) -> None:
    answer = ci.report(with_raw(field, "null"))

    assert_problem(answer, 422)
    assert faults_of(answer) == {(field, "null")}


@pytest.mark.parametrize(("field", "longest"), LONGEST.items())
def test_a_field_that_is_too_long_is_named(ci: Machine, field: str, longest: int) -> None:
    start = "https://" if field.endswith("Url") else ""
    answer = ci.report(**{field: start + "a" * (longest + 1 - len(start))})

    assert_problem(answer, 422)
    assert faults_of(answer) == {(field, "max_length")}


@pytest.mark.parametrize("value", [1, 1.5, True, [], ["v1"], {}, {"a": 1}], ids=json.dumps)
@pytest.mark.parametrize("field", [*LONGEST, "deployedAt", "state"])
def test_a_field_of_another_type_is_named(ci: Machine, field: str, value: Any) -> None:
    answer = ci.report(**{field: value})

    assert_problem(answer, 422)
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800", "a\\udfff", "\\ude00\\ud83d"])
@pytest.mark.parametrize("field", [*LONGEST, "deployedAt", "state"])
def test_what_no_database_stores_is_named(ci: Machine, field: str, text: str) -> None:
    start = "https://" if field.endswith("Url") else ""
    answer = ci.report(with_raw(field, f'"{start}{text}"'))

    assert_problem(answer, 422)
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert RefusedRequest.objects.get().http_status == 422


@pytest.mark.parametrize(
    "raw",
    [
        '"\\u0000"',
        '"\\ud800"',
        "NaN",
        "[" * 100_000,
        "1e400",
        "-1e400",
        "9" * 5000,
        "1.5",
        '{"a": {"b": []}}',
    ],
    ids=lambda raw: raw[:10],
)
def test_unknown_fields_cannot_break_anything(ci: Machine, raw: str) -> None:
    assert ci.report(with_raw("extra", raw)).status_code in (202, 400)
    assert ci.report(with_raw("PLACE2", "1").replace(b"PLACE2", b"\\u0000\\ud800")).status_code == 202


def test_all_faults_are_named_at_once(ci: Machine) -> None:
    answer = ci.report(
        {
            "repositoryFullName": "",
            "environment": 7,
            "app": "a" * 256,
            "version": None,
            "description": [],
            "deployedAt": "yesterday",
            "monorepoPath": "..",
            "state": "excellent",
            "environmentUrl": "javascript:alert(1)",
            "commits": [{"sha": "a" * 40}, {"sha": 5, "parents": "b", "files": [1]}, "c"],
        }
    )

    assert_problem(answer, 422)
    assert faults_of(answer) == {
        ("repositoryFullName", "blank"),
        ("environment", "invalid"),
        ("app", "max_length"),
        ("version", "null"),
        ("commitHash", "required"),
        ("description", "invalid"),
        ("deployedAt", "invalid"),
        ("monorepoPath", "invalid"),
        ("state", "invalid_choice"),
        ("environmentUrl", "invalid"),
        ("commits[1].sha", "invalid"),
        ("commits[1].parents", "not_a_list"),
        ("commits[1].files", "not_a_list"),
        ("commits[2].sha", "invalid"),
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-03-01T12:00:00", "no_offset"),
        ("2026-03-01", "invalid"),
        ("12:00:00Z", "invalid"),
        ("9999-12-31T23:59:59-14:00", "out_of_range"),
        ("9999-12-31T23:59:59Z", "out_of_range"),
        ("0001-01-01T00:00:00+14:00", "out_of_range"),
        ("0000-01-01T00:00:00Z", "invalid"),
        ("10000-01-01T00:00:00Z", "invalid"),
        ("1969-12-31T23:59:59Z", "out_of_range"),
        ("1970-01-01T00:00:00Z", "out_of_range"),
        ("1970-01-01T01:00:00+02:00", "out_of_range"),
        ("2026-03-02T12:11:00Z", "out_of_range"),
        ("2026-03-02T12:11:00+00:00", "out_of_range"),
        ("2026-02-30T12:00:00Z", "invalid"),
        ("2026-03-01T25:00:00Z", "invalid"),
        ("2026-03-01T12:60:00Z", "invalid"),
        ("2026-03-01T12:00:60Z", "invalid"),
        ("2026-03-01T12:00:00+25:00", "invalid"),
        ("2026-03-01T12:00:00 Europe/Berlin", "invalid"),
        ("Mon, 02 Mar 2026 12:00:00 GMT", "invalid"),
        ("1772452800", "invalid"),
        ("٢٠٢٦-٠٣-٠١T١٢:٠٠:٠٠Z", "invalid"),
        ("yesterday", "invalid"),
        ("", "invalid"),
        ("2026-W09-1T12:00:00Z", "invalid"),
        ("2026-03-01T12:00:00Z" * 1000, "invalid"),
    ],
)
def test_a_date_that_cannot_be_is_named(ci: Machine, text: str, code: str) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = ci.report(deployedAt=text)

    assert_problem(answer, 422)
    assert faults_of(answer) == {("deployedAt", code)}
    assert len(answer.content) < 1000


@pytest.mark.parametrize("value", [1772452800, 1772452800.5, -1, 10**30, True, [], {}], ids=json.dumps)
def test_a_date_is_a_text(ci: Machine, value: Any) -> None:
    answer = ci.report(deployedAt=value)

    assert_problem(answer, 422)
    assert faults_of(answer) == {("deployedAt", "invalid")}


@pytest.mark.parametrize(
    ("commits", "fault"),
    [
        ("a" * 40, ("commits", "not_a_list")),
        ({"sha": "a" * 40}, ("commits", "not_a_list")),
        ([None], ("commits[0].sha", "invalid")),
        ([{}], ("commits[0].sha", "required")),
        ([{"sha": ""}], ("commits[0].sha", "invalid")),
        ([{"sha": "a b"}], ("commits[0].sha", "invalid")),
        ([{"sha": "a" * 71}], ("commits[0].sha", "invalid")),
        ([{"sha": "a\x00"}], ("commits[0].sha", "invalid")),
        ([{"sha": "a", "parents": [None]}], ("commits[0].parents", "invalid")),
        ([{"sha": "a", "parents": "b"}], ("commits[0].parents", "not_a_list")),
        ([{"sha": "a", "authoredAt": "2026-03-01"}], ("commits[0].authoredAt", "invalid")),
        ([{"sha": "a", "committedAt": "2026-03-01T12:00:00"}], ("commits[0].committedAt", "no_offset")),
        ([{"sha": "a", "committedAt": 7}], ("commits[0].committedAt", "invalid")),
        (
            [{"sha": "a", "authoredAt": "0001-01-01T00:00:00+10:00"}],
            ("commits[0].authoredAt", "out_of_range"),
        ),
        ([{"sha": "a", "message": "\ud800"}], ("commits[0].message", "invalid")),
        ([{"sha": "a", "message": ["m"]}], ("commits[0].message", "invalid")),
        ([{"sha": "a", "author": "\x00"}], ("commits[0].author", "invalid")),
        ([{"sha": "a", "files": "README"}], ("commits[0].files", "not_a_list")),
        ([{"sha": "a", "files": ["\x00"]}], ("commits[0].files", "invalid")),
    ],
)
def test_what_is_wrong_with_a_commit_is_named(ci: Machine, commits: Any, fault: tuple[str, str]) -> None:
    answer = ci.report(commits=commits)

    assert_problem(answer, 422)
    assert faults_of(answer) == {fault}


@pytest.mark.parametrize(
    "commits",
    [[1] * 200_000, [{}] * 200_000, [{"sha": "a", "parents": [1] * 200_000}]],
    ids=["no objects", "no hashes", "no parents"],
)
def test_a_flood_of_faults_gets_a_short_answer(ci: Machine, commits: Any) -> None:
    answer = ci.report(commits=commits)

    assert_problem(answer, 422)
    assert 1 <= len(answer.json()["errors"]) <= 50


def test_a_fault_does_not_repeat_what_was_sent(ci: Machine) -> None:
    answer = ci.report(state="secret" * 10_000)

    assert_problem(answer, 422)
    assert b"secret" not in answer.content
    assert "secret" not in json.dumps(RefusedRequest.objects.get().errors)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "ftp://a", "//a", "a", "http:/a"])
def test_a_link_leads_to_the_web(ci: Machine, url: str) -> None:
    answer = ci.report(environmentUrl=url, logUrl=url)

    assert_problem(answer, 422)
    assert faults_of(answer) == {("environmentUrl", "invalid"), ("logUrl", "invalid")}


@pytest.mark.parametrize(("path", "limit"), [("/v1/deployments", 10 * MIB), ("/v1/deployments/batch", 25 * MIB)])
def test_a_body_over_the_limit_is_413(ci: Machine, path: str, limit: int) -> None:
    start = f"[{REPORT}" if "batch" in path else REPORT
    end = "]" if "batch" in path else ""
    largest = (start + " " * (limit - len(start) - len(end)) + end).encode()

    assert ci.post(path, largest).status_code == 202
    assert_problem(ci.post(path, b" " + largest), 413)


def test_a_report_for_a_workspace_has_the_same_limit(ci: Machine, workspace: Workspace) -> None:
    assert_problem(ci.post(f"/api/workspaces/{workspace.pk}/deployments", b" " * (10 * MIB + 1)), 413)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/deployments"),
        ("PATCH", "/v1/deployments"),
        ("DELETE", "/v1/deployments"),
        ("GET", "/v1/deployments/batch"),
        ("POST", "/v1/deployments/1"),
        ("GET", "/v1/deployments/1/restore"),
        ("POST", "/v1/jobs"),
        ("POST", "/api/jobs/00000000-0000-0000-0000-000000000000"),
        ("GET", "/api/jobs/00000000-0000-0000-0000-000000000000/stopped"),
        ("POST", "/api/jobs/00000000-0000-0000-0000-000000000000/logs"),
        ("TRACE", "/v1/deployments"),
        ("NONSENSE", "/v1/deployments"),
    ],
)
def test_another_method_is_405(ci: Machine, method: str, path: str) -> None:
    answer = ci.request(method, path)

    assert_problem(answer, 405)
    assert method not in answer["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/deployments/",
        "/v1/deployments/batch/",
        "/v1/jobs/",
        "/v1/nothing",
        "/v1/",
        "/v1/deployments/abc",
        "/v1/deployments/-1",
        "/v1/deployments/" + "9" * 30,
        "/v1/deployments/" + "9" * 5000,
        "/v1/deployments/%00",
        "/v1/deployments/%ff",
        "/api/jobs/1",
        "/api/jobs/00000000-0000-0000-0000-000000000000",
        "/api/jobs/00000000-0000-0000-0000-000000000000/logs",
        "/api/nothing",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_there_is_not_is_404(ci: Machine, method: str, path: str) -> None:
    known = path.startswith("/api/jobs/0") or path == f"/v1/deployments/{'9' * 30}"  # not to be posted to
    assert_problem(ci.request(method, path), 405 if known and method == "POST" else 404)


def test_a_report_to_a_strange_host_is_refused(ci: Machine) -> None:
    problem = assert_problem(ci.post("/v1/deployments", make_report(), Host="evil.example"), 400)

    assert "localhost" in problem["detail"]


def test_a_query_with_too_many_fields_is_refused(ci: Machine) -> None:
    problem = assert_problem(ci.get("/v1/deployments?" + "&".join(["app=a"] * 1001)), 400)

    assert "localhost" not in problem["detail"]


@pytest.mark.parametrize(
    ("status", "send"),
    [
        (202, lambda ci, workspace: ci.report()),
        (200, lambda ci, workspace: ci.get("/v1/deployments")),
        (200, lambda ci, workspace: ci.get("/v1/jobs")),
        (400, lambda ci, workspace: ci.report(b"{")),
        (401, lambda ci, workspace: Machine().report()),
        (401, lambda ci, workspace: Machine("slipway_1_2").get("/v1/deployments")),
        (401, lambda ci, workspace: Machine().post("/v1/deployments/batch")),
        (403, lambda ci, workspace: Machine(make_key(workspace, scopes=["metrics:read"])).report()),
        (403, lambda ci, workspace: Machine(make_key(workspace, scopes=[])).post("/v1/deployments/batch")),
        (404, lambda ci, workspace: ci.get("/v1/deployments/1")),
        (404, lambda ci, workspace: ci.get(f"/api/jobs/{workspace.pk}")),
        (405, lambda ci, workspace: ci.get("/v1/deployments/batch")),
        (413, lambda ci, workspace: ci.report(b" " * (10 * MIB + 1))),
        (413, lambda ci, workspace: ci.post("/v1/deployments/batch", b" " * (25 * MIB + 1))),
        (415, lambda ci, workspace: ci.post("/v1/deployments", {}, Content_Encoding="gzip")),
        (400, lambda ci, workspace: ci.post("/v1/deployments/batch", b"{")),
        (422, lambda ci, workspace: ci.post("/v1/deployments/batch", [])),
        (422, lambda ci, workspace: ci.report({})),
        (422, lambda ci, workspace: ci.post(f"/api/workspaces/{workspace.pk}/deployments")),
    ],
)
def test_every_answer_tells_the_rate_limit(ci: Machine, workspace: Workspace, status: int, send: Any) -> None:
    answer = send(ci, workspace)

    assert answer.status_code == status, answer.content
    assert [int(answer[name]) for name in RATE_LIMIT_HEADERS] == [ANY, ANY, ANY]
    assert 0 < int(answer["RateLimit-Remaining"]) < int(answer["RateLimit-Limit"])
    assert 0 < int(answer["RateLimit-Reset"]) <= 60


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.just(good)
        for name, good in {
            **make_report(),
            "description": "",
            "author": "ada",
            "deployedAt": "2026-03-01T12:00:00Z",
            "monorepoPath": "a/b",
            "state": "success",
            "environmentUrl": "https://a",
            "logUrl": None,
            "commits": [{"sha": "a", "parents": ["b"], "files": ["c"]}],
        }.items()
    },
)
COMMITS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            name: JSON | st.just(good)
            for name, good in {
                "sha": "a" * 40,
                "parents": ["b"],
                "authoredAt": "2026-03-01T12:00:00Z",
                "committedAt": "0001-01-01T00:00:00-12:00",
                "message": "m",
                "author": "a",
                "files": ["f"],
            }.items()
        },
    ),
    max_size=3,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=JSON | FIELDS | COMMITS.map(lambda commits: make_report(commits=commits)), batch=st.booleans())
@override_settings(SLIPWAY_RATE_LIMIT="off")
def test_no_body_ever_gives_a_5xx(ci: Machine, body: Any, batch: bool) -> None:
    path = "/v1/deployments/batch" if batch else "/v1/deployments"
    answer = ci.post(path, {"deployments": [body, body]} if batch else body)

    assert answer.status_code in (202, 400, 422), answer.content
    assert answer.json()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=200)
    | st.builds(
        lambda cut, put: REPORT.encode()[:cut] + put + REPORT.encode()[cut:],
        st.integers(0, len(REPORT)),
        st.binary(min_size=1, max_size=8),
    )
)
@override_settings(SLIPWAY_RATE_LIMIT="off")
def test_no_bytes_ever_give_a_5xx(ci: Machine, raw: bytes) -> None:
    assert ci.report(raw).status_code in (202, 400, 422)


@pytest.mark.parametrize(
    "query",
    [
        "app=%00",
        "author=%00",
        "state=%00",
        "from=%00",
        "from=yesterday",
        "from=0001-01-01",
        "to=9999-12-31",
        "from=9999-12-31T23:59:59-14:00",
        "cursor=nonsense",
        "cursor=cD15ZXN0ZXJkYXk=",
        "cursor=cD0lMDA=",
        "cursor=cj0xJnA9MjAyNi0wMy0wMQ==",
        "cursor=bz05OTk5OTk5OTk5OTk5OTk5",
        "cursor=%ff",
        "limit=" + "9" * 5000,
        "limit=-1",
        "state=excellent",
        "changeKind=%FF",
        "format=xml",
        "format=%00",
        "a=%u1234&&&=",
    ],
)
def test_no_query_ever_gives_a_5xx(ci: Machine, query: str) -> None:
    assert ci.get(f"/v1/deployments?{query}").status_code in (200, 422)


@pytest.mark.parametrize(
    "query",
    [
        "cursor=yesterday",
        "cursor=%00",
        "cursor=2026-03-01T12:00:00Z",
        "cursor=2026-03-01T12:00:00Z~x",
        "cursor=2026-03-01T12:00:00Z~99999999",
        "cursor=0001-01-01T00:00:00%2B14:00~1",
        "cursor=9999-12-31T23:59:59Z~0",
        "status=%00",
        "status=%FF",
        "status=x",
    ],
)
def test_no_query_of_jobs_ever_gives_a_5xx(ci: Machine, query: str) -> None:
    assert ci.get(f"/v1/jobs?{query}").status_code in (200, 422)


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer slipway_" + "a" * 100_000},
        {"Authorization": "Bearer slipway_%00_x"},
        {"Authorization": ""},
        {"Authorization": "\xa0\x85"},
    ],
)
def test_no_credentials_ever_give_a_5xx(ci: Machine, header: dict[str, str]) -> None:
    assert_problem(ci.post("/v1/deployments", make_report(), **header), 401)


@pytest.mark.parametrize("value", ["\xff", "a" * 256, '""', '"', "\\", "a" * 100_000])
def test_no_idempotency_key_ever_gives_a_5xx(ci: Machine, value: str) -> None:
    assert ci.post("/v1/deployments", make_report(), Idempotency_Key=value).status_code in (202, 422)


def test_the_moment_that_was_accepted_was_checked_against_the_clock_of_then(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False):
        assert ci.report(deployedAt=(NOON + dt.timedelta(minutes=10)).isoformat()).status_code == 202
        assert ci.report(deployedAt=(NOON + dt.timedelta(minutes=10, seconds=1)).isoformat()).status_code == 422


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/deployments?archived=yes", "archived"),
        ("/v1/deployments?limit=0", "limit"),
        ("/v1/deployments?limit=many", "limit"),
        ("/v1/incidents?withdrawn=1", "withdrawn"),
        ("/v1/metrics/dora?format=xml", "format"),
    ],
)
def test_a_parameter_that_cannot_be_taken_is_named(ci: Machine, path: str, field: str) -> None:
    assert {name for name, _ in faults_of(ci.get(path))} == {field}


@pytest.mark.parametrize("path", ["/healthz", "/badge/none.svg", "/v1/openapi.json"])
def test_what_can_only_be_read_says_so(path: str) -> None:
    answer = Machine().request("POST", path)

    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD"
