"""The payload URL: what GitHub delivers is authenticated, stored once, and answered at once."""

import datetime as dt
import json
import uuid
from io import StringIO
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
import time_machine
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from deployments.github import events
from deployments.github.signatures import NotSigned, verify
from deployments.models import DeploymentSecret, Job, JobStatus, RefusedRequest, Workspace
from tests.factories import make_workspace
from tests.github.hooks import Github, examples, sign, work
from tests.machines import Machine, assert_problem

pytestmark = pytest.mark.django_db
# What README says to tick, and the ping that GitHub sends of itself.
EVENTS = ["ping", *events.EVENTS]
PING = {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {"events": ["*"]}}


def body_of(payload: Any) -> bytes:
    return json.dumps(payload).encode()


class TestSignatures:
    def test_the_example_of_githubs_documentation(self) -> None:
        signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

        assert verify(b"Hello, World!", ["It's a Secret to Everybody"], sha256=signature, sha1="")

    def test_the_legacy_signature_of_the_same_example(self) -> None:
        signature = "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"

        assert verify(b"Hello, World!", ["It's a Secret to Everybody"], sha256="", sha1=signature)

    def test_a_wrong_one_is_not_made_good_by_the_legacy_one(self) -> None:
        good = sign(b"{}", "secret", "sha1")

        with pytest.raises(NotSigned, match="another one"):
            verify(b"{}", ["secret"], sha256="sha256=" + 64 * "0", sha1=good)

    @pytest.mark.parametrize("signature", ["", "sha256=", "sha256=ü", "sha1=abc", "757107", "sha256=" + "A" * 64])
    def test_nonsense_is_refused(self, signature: str) -> None:
        with pytest.raises(NotSigned):
            verify(b"{}", ["secret"], sha256=signature, sha1="")


@pytest.mark.parametrize("form", [False, True])
def test_a_delivery_is_answered_with_its_job(github: Github, form: bool) -> None:
    job = github.deliver("ping", PING, form=form)

    assert (job.type, job.status, job.event, job.payload) == ("GITHUB_WEBHOOK", "QUEUED", "ping", PING)
    work()
    job.refresh_from_db()
    assert job.status == "COMPLETE"
    assert "Keep it logically awesome" in job.log


def test_the_answer_is_a_hal_job_whose_links_work_with_a_key(github: Github, ci: Machine) -> None:
    answer = github.send(body_of(PING), X_GitHub_Event="ping", X_Hub_Signature_256=sign(body_of(PING), github.secret))

    assert answer.status_code == 202
    assert answer["Content-Type"] == "application/hal+json"
    assert ci.get(answer.json()["_links"]["self"]["href"]).json()["type"] == "GITHUB_WEBHOOK"


def test_the_call_of_the_reference_an_empty_object_with_a_legacy_signature(github: Github) -> None:
    answer = github.send(b"{ }", X_Hub_Signature=sign(b"{ }", github.secret, "sha1"), Authorization="Bearer TOKEN")

    assert answer.status_code == 202
    work()
    assert Job.objects.get().status == "COMPLETE"


def test_json_under_the_name_of_a_form_is_read_as_json(github: Github) -> None:
    body = body_of(PING)
    answer = github.send(
        body,
        "application/x-www-form-urlencoded",
        X_GitHub_Event="ping",
        X_Hub_Signature_256=sign(body, github.secret),
    )

    assert answer.status_code == 202
    assert Job.objects.get().payload == PING


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Hub_Signature_256": "sha256=" + 64 * "0"},
        {"X_Hub_Signature_256": "sha256=ünïcode"},
        {"X_Hub_Signature": "sha1=" + 40 * "0"},
    ],
)
def test_without_a_right_signature_nothing_is_stored(github: Github, headers: dict[str, str]) -> None:
    answer = github.send(body_of(PING), X_GitHub_Event="ping", **headers)

    assert_problem(answer, 401)
    assert answer["WWW-Authenticate"]
    assert not Job.objects.exists()


def test_its_people_see_that_a_delivery_was_refused_but_not_what_it_said(github: Github) -> None:
    github.send(b'{"zen": "hidden"}', X_GitHub_Event="ping")

    refused = RefusedRequest.objects.get(workspace=github.workspace)
    assert refused.http_status == 401
    assert "hidden" not in str(refused.__dict__)


def test_a_workspace_that_does_not_exist_is_404_whatever_the_signature(github: Github) -> None:
    github.path = github.path.replace(str(github.workspace.pk), str(uuid.uuid4()))

    for secret in (github.secret, "wrong"):
        answer = github.send(body_of(PING), X_GitHub_Event="ping", X_Hub_Signature_256=sign(body_of(PING), secret))
        assert_problem(answer, 404)
    assert not Job.objects.exists()


def test_the_same_is_done_for_a_workspace_that_exists_and_one_that_does_not(
    github: Github, django_assert_num_queries: Any
) -> None:
    """What takes the time, reading the body and the secrets and comparing the signature, is the same for both."""
    calls = []
    with patch("deployments.api.github.verify", side_effect=lambda *a, **k: calls.append(a) or verify(*a, **k)):
        github.send(body_of(PING), X_Hub_Signature_256="sha256=0")
        github.path = github.path.replace(str(github.workspace.pk), str(uuid.uuid4()))
        github.send(body_of(PING), X_Hub_Signature_256="sha256=0")

    assert len(calls) == 2
    assert [len(secrets) for _, secrets in calls] == [1, 1]


def test_the_secret_of_another_workspace_is_no_use(github: Github) -> None:
    other = Github(make_workspace("Globex"))

    answer = github.send(body_of(PING), X_Hub_Signature_256=sign(body_of(PING), other.secret))

    assert_problem(answer, 401)


def test_a_workspace_that_never_made_a_secret_takes_nothing(workspace: Workspace, github: Github) -> None:
    DeploymentSecret.objects.all().delete()

    answer = github.send(body_of(PING), X_Hub_Signature_256=sign(body_of(PING), ""))

    assert_problem(answer, 401)


def test_a_redelivery_is_the_first_ones_job_again(github: Github) -> None:
    first = github.deliver("ping", PING, guid="72d3162e")
    again = github.deliver("ping", PING, guid="72d3162e")
    work()
    afterwards = github.deliver("ping", PING, guid="72d3162e")

    assert first.pk == again.pk == afterwards.pk
    assert Job.objects.count() == 1
    assert afterwards.status == "COMPLETE"


def test_a_redelivery_gives_a_failed_job_another_chance(github: Github) -> None:
    job = github.deliver("ping", PING, guid="72d3162e")
    Job.objects.filter(pk=job.pk).update(status=JobStatus.ERROR)

    assert github.deliver("ping", PING, guid="72d3162e").status == "QUEUED"


def test_one_delivery_to_two_workspaces_is_two_jobs(github: Github) -> None:
    other = Github(make_workspace("Globex"))

    assert github.deliver("ping", PING, guid="72d3162e").pk != other.deliver("ping", PING, guid="72d3162e").pk


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"\xff", "not UTF-8"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (b'{"a": NaN}', "NaN"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(github: Github, body: bytes, said: str) -> None:
    answer = github.send(body, X_GitHub_Event="push", X_Hub_Signature_256=sign(body, github.secret))

    assert said in assert_problem(answer, 400)["detail"]
    assert not Job.objects.exists()


def test_a_form_without_a_payload_is_refused_in_words(github: Github) -> None:
    body = b"other=1"
    answer = github.send(body, "application/x-www-form-urlencoded", X_Hub_Signature_256=sign(body, github.secret))

    assert "payload" in assert_problem(answer, 400)["detail"]


def test_what_no_database_keeps_is_replaced_and_not_refused(github: Github) -> None:
    body = b'{"zen": "a\\u0000b \\ud800", "n\\u0000": [1]}'
    answer = github.send(body, X_GitHub_Event="ping", X_Hub_Signature_256=sign(body, github.secret))

    assert answer.status_code == 202
    assert Job.objects.get().payload == {"zen": "a\ufffdb \ufffd", "n\ufffd": [1]}


class TestSize:
    LARGEST = 25 * 1024 * 1024

    def payload(self, size: int) -> bytes:
        return b'{"zen": "' + b"x" * (size - 11) + b'"}'

    @pytest.mark.parametrize("form", [False, True])
    def test_25_mib_are_taken(self, github: Github, form: bool) -> None:
        body = self.payload(self.LARGEST)
        content_type = "application/x-www-form-urlencoded" if form else "application/json"
        if form:
            body = urlencode({"payload": body.decode()}).encode()

        answer = github.send(body, content_type, X_GitHub_Event="ping", X_Hub_Signature_256=sign(body, github.secret))

        assert answer.status_code == 202

    def test_more_is_not(self, github: Github) -> None:
        body = self.payload(self.LARGEST + 1)

        assert_problem(github.send(body, X_Hub_Signature_256=sign(body, github.secret)), 413)


class TestSecrets:
    def rotate(self, **options: Any) -> str:
        out = StringIO()
        call_command("rotate_deployment_secret", stdout=out, stderr=StringIO(), **options)
        return out.getvalue().splitlines()[-1]

    def test_the_command_prints_it_alone_on_the_last_line(self, github: Github) -> None:
        secret = self.rotate(workspace=github.workspace.slug)

        assert len(secret) == 64
        github.secret = secret
        github.deliver("ping", PING)

    def test_the_former_one_is_good_for_a_while(self, github: Github) -> None:
        self.rotate(workspace=github.workspace.slug, overlap_hours=2)

        github.deliver("ping", PING)
        with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(hours=2, minutes=1)):
            answer = github.send(body_of(PING), X_Hub_Signature_256=sign(body_of(PING), github.secret))
            assert_problem(answer, 401)

    def test_it_can_be_ended_at_once(self, github: Github) -> None:
        self.rotate(workspace=github.workspace.slug, overlap_hours=0)

        answer = github.send(body_of(PING), X_Hub_Signature_256=sign(body_of(PING), github.secret))
        assert_problem(answer, 401)

    def test_a_second_rotation_does_not_prolong_the_first_ones_life(self, github: Github) -> None:
        self.rotate(workspace=github.workspace.slug, overlap_hours=1)
        ends = DeploymentSecret.objects.order_by("created_at").first()
        self.rotate(workspace=github.workspace.slug, overlap_hours=5)

        assert ends is not None
        assert DeploymentSecret.objects.get(pk=ends.pk).expires_at == ends.expires_at

    def test_it_rests_encrypted(self, github: Github) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT secret FROM deployments_deploymentsecret")
            stored = [row[0] for row in cursor.fetchall()]

        assert stored
        assert all(github.secret not in text for text in stored)

    def test_a_changed_secret_key_needs_the_former_one(self, github: Github, settings: Any) -> None:
        former, settings.SECRET_KEY = settings.SECRET_KEY, "another one altogether"
        settings.SECRET_KEY_FALLBACKS = [former]

        github.deliver("ping", PING)


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize(
    "event",
    EVENTS,
)
class TestExamples:
    """Every example of GitHub's public collection: accepted, and understood in any order and more than once."""

    def test_each_is_accepted_and_processed(self, github: Github, event: str, form: bool) -> None:
        jobs = [github.deliver(event, payload, form=form) for payload in examples(event)]
        work()

        ended = Job.objects.filter(pk__in=[job.pk for job in jobs])
        assert {job.status for job in ended} == {"COMPLETE"}, [job.log for job in ended if job.error]

    def test_reversed_and_doubled_they_leave_the_same_records(self, github: Github, event: str, form: bool) -> None:
        other = Github(make_workspace("Other way round"))
        for payload in examples(event):
            github.deliver(event, payload, form=form)
        for payload in reversed(examples(event)):
            for _ in range(2):
                other.deliver(event, payload, form=form)
        work()

        assert records_of(other.workspace) == records_of(github.workspace)


HEAD = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
# What somebody who reads the examples finds in them: (model, fields) → the rows.
READ_BY_HAND: dict[str, dict[tuple[str, ...], list[tuple[Any, ...]]]] = {
    "push": {
        ("GitRef", "name", "sha", "is_deleted"): [
            ("refs/heads/master", HEAD, False),
            ("refs/tags/simple-tag", HEAD, True),
        ],
        ("Repository", "full_name", "github_id", "default_branch_sha"): [("Codertocat/Hello-World", 186853002, HEAD)],
    },
    "deployment_status": {
        ("Deployment", "application__name", "environment__name", "commit_sha", "state"): [
            ("Hello-World", "production", "78a96099c3f442d7f6e8d1a7d07090091993e65a", "success"),
            ("Hello-World", "production", "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "success"),
        ],
        ("DeploymentStatus", "external_id"): [(2,), (209916254,)],
    },
    "pull_request": {
        ("PullRequest", "number", "author", "head_ref", "base_ref", "state", "merge_commit_sha"): [
            (2, "Codertocat", "changes", "master", "closed", "")
        ],
    },
    "pull_request_review": {
        ("PullRequestReview", "github_id", "author", "state"): [(237895671, "Codertocat", "dismissed")],
    },
    "release": {("Release", "github_id", "tag_name", "is_prerelease"): [(17372790, "0.0.1", False)]},
    "repository": {
        ("Repository", "full_name", "github_id"): [
            ("Codertocat/Hello-World", 186853002),
            ("Octocoders/Hello-World", 186853261),
        ],
        ("FormerName", "full_name_key", "repository__github_id"): [("octocat/hello-world", 186853261)],
    },
}


@pytest.mark.parametrize("event", READ_BY_HAND)
def test_the_examples_lead_to_the_records_that_one_reads_in_them(github: Github, event: str) -> None:
    for payload in examples(event):
        github.deliver(event, payload)
    work()

    for (model, *fields), rows in READ_BY_HAND[event].items():
        assert sorted(apps.get_model("deployments", model).objects.values_list(*fields)) == rows


def test_an_event_of_no_interest_is_accepted_and_says_so(github: Github) -> None:
    jobs = [github.deliver(example["event"], example["payload"]) for example in examples("others")]
    work()

    for job in Job.objects.filter(pk__in=[job.pk for job in jobs]):
        assert job.status == "COMPLETE"
        assert "tells nothing of deployments" in job.log


def records_of(workspace: Workspace) -> dict[str, Any]:
    """Return all that is recorded of a workspace, without ids and times of arrival."""
    from deployments import models

    def rows(model: Any, *fields: str, **where: Any) -> list[Any]:
        return sorted(map(str, model.objects.filter(**where).values_list(*fields)))

    mine = {"repository__workspace": workspace}
    return {
        "repositories": rows(
            models.Repository, "full_name", "github_id", "default_branch", "default_branch_sha", "is_archived",
            workspace=workspace,
        ),
        "former names": rows(models.FormerName, "full_name_key", "repository__full_name", workspace=workspace),
        "refs": rows(models.GitRef, "name", "sha", "moved_at", "is_deleted", **mine),
        "commits": rows(models.Commit, "sha", "parents", **mine),  # one hash has two contents there
        "pull requests": rows(
            models.PullRequest, "number", "title", "state", "is_draft", "labels", "head_sha", "head_shas",
            "merge_commit_sha", "opened_at", "ready_times", "merged_at", "closed_at", "first_commit_at",
            "first_review_at", "approved_at", **mine,
        ),
        "releases": rows(models.Release, "github_id", "tag_name", "published_at", **mine),
        "deployments": rows(
            models.Deployment, "application__name", "environment__name", "environment__is_production", "version",
            "commit_sha", "state", "reached_environment", "deployed_at", "change_kind", "changes_count",
            workspace=workspace,
        ),
        "statuses": rows(
            models.DeploymentStatus, "state", "created_at", "external_id", deployment__workspace=workspace
        ),
        "incidents": rows(
            models.Incident, "title", "started_at", "resolved_at", "is_withdrawn", workspace=workspace
        ),
    }  # fmt: skip
