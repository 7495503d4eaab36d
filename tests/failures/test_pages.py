"""What people see of verdicts and rules, and what programs read."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from deployments.models import Deployment, FailureFinding, FailureRules, Overruling, RuleChange, Track, User
from deployments.processing import judge_everything
from tests import factories
from tests.failures.stories import Shop
from tests.machines import Machine, assert_problem, faults_of

pytestmark = pytest.mark.django_db

RULES = {
    "rollbacks": "on", "rollback_blame": "first", "reverts": "on", "hotfixes": "on",
    "hotfix_branches": "^hotfix[/_-]",
    "hotfix_labels": "^hot-?fix$", "hotfix_titles": "^hot-?fix\\b", "failed_statuses": "on", "incidents": "on",
    "incident_window_hours": "24", "minimum_minutes": "0",
}  # fmt: skip


@pytest.fixture
def rolled_back(workspace: Any) -> list[Deployment]:
    """V1, V2, V3, V1 again, in the last hours."""
    track = factories.make_track(workspace)
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=10)
    commits = {"v1": "1" * 40, "v2": "2" * 40, "v3": "3" * 40}
    rows = [
        factories.make_deployment(
            track, now + dt.timedelta(hours=hour), version=version, commit_sha=commits[version],
            change_kind=["baseline", "forward", "forward", "rollback"][hour],
        )
        for hour, version in enumerate(["v1", "v2", "v3", "v1"])
    ]  # fmt: skip
    Track.objects.update(judging_pending=True)
    judge_everything()
    return rows


def test_the_page_of_a_deployment_says_why_it_failed_and_what_repaired_it(
    pages: Client, rolled_back: list[Deployment]
) -> None:
    page = pages.get(f"/deployments/{rolled_back[1].pk}/").content.decode()
    assert "v3 returned to v1." in page
    assert f"/deployments/{rolled_back[3].pk}/" in page

    page = pages.get(f"/deployments/{rolled_back[3].pk}/").content.decode()
    assert "It repaired:" in page
    assert f"/deployments/{rolled_back[1].pk}/" in page


def test_a_person_overrules_a_verdict_and_withdraws_that(
    pages: Client, person: User, rolled_back: list[Deployment]
) -> None:
    where = f"/deployments/{rolled_back[1].pk}/"
    answer = pages.post(f"{where}overrule/", {"says": "failure no", "reason": "The network was down"}, follow=True)
    page = answer.content.decode()
    assert "The network was down" in page
    assert person.email in page
    assert not Deployment.objects.filter(has_failed=True).exists()
    assert not Deployment.objects.filter(is_rework=True).exists()

    pages.post(f"{where}overrule/failure/withdraw/")
    assert Deployment.objects.get(has_failed=True) == rolled_back[1]
    assert not Overruling.objects.exists()


def test_saying_otherwise_begins_with_the_contrary(pages: Client, rolled_back: list[Deployment]) -> None:
    for number, contrary in ((0, "failure yes"), (1, "failure no")):
        page = pages.get(f"/deployments/{rolled_back[number].pk}/").content.decode()
        assert f'<option value="{contrary}" selected>' in page


def test_whoever_overrules_has_to_say_why(pages: Client, rolled_back: list[Deployment]) -> None:
    where = f"/deployments/{rolled_back[1].pk}/overrule/"
    page = pages.post(where, {"says": "failure no", "reason": " "}, follow=True).content.decode()

    assert "Say why" in page
    assert not Overruling.objects.exists()


def test_nobody_overrules_in_a_workspace_of_others(client: Client, rolled_back: list[Deployment]) -> None:
    client.force_login(factories.make_user(factories.make_workspace("Others")))
    where = f"/deployments/{rolled_back[1].pk}/overrule/"

    assert client.post(where, {"says": "failure no", "reason": "Mine"}).status_code == 404
    assert client.post(f"{where}failure/withdraw/").status_code == 404


def test_the_list_marks_those_that_failed_and_narrows_down_to_them(
    pages: Client, rolled_back: list[Deployment]
) -> None:
    page = pages.get("/deployments/?failed=yes").content.decode()

    assert page.count('class="tag bad">failed') == 1
    assert ">v2</a>" in page
    assert ">v3</a>" not in page


def test_a_program_reads_the_verdict_and_lists_failures(key: str, rolled_back: list[Deployment]) -> None:
    ci = Machine(key)
    body = ci.get(f"/v1/deployments/{rolled_back[1].pk}").json()["failure"]
    assert body["failed"]
    assert not body["rework"]
    assert body["repairedBy"] == rolled_back[3].pk
    assert body["findings"] == [
        {"reason": "rollback", "why": "v3 returned to v1.", "repairedBy": rolled_back[3].pk, "incident": None}
    ]
    assert body["overruled"] == []

    listed = ci.get("/v1/deployments?failed=true").json()["results"]
    assert [row["id"] for row in listed] == [rolled_back[1].pk]
    assert len(ci.get("/v1/deployments?failed=false").json()["results"]) == 3
    assert_problem(ci.get("/v1/deployments?failed=maybe"), 422)


def test_a_report_says_what_it_fixes_and_its_job_says_what_it_repaired(key: str) -> None:
    ci = Machine(key)
    ci.deploy(version="v1", commitHash="1" * 40)
    broken = ci.deploy(version="v2", commitHash="2" * 40)
    ci.deploy(version="v3", commitHash="3" * 40)
    repair = ci.deploy(version="v4", commitHash="4" * 40, fixesVersion="v2")
    unheard = ci.deploy(version="v5", commitHash="5" * 40, fixesVersion="v9")

    assert f"It repairs deployment {broken.pk} (v2): v4 says that it fixes v2" in repair.jobs.get().log
    assert "No earlier deployment of v9 is known" in unheard.jobs.get().log
    broken.refresh_from_db()
    assert broken.repaired_by == repair
    assert faults_of(ci.report(fixesVersion="x" * 71)) == {("fixesVersion", "max_length")}


def test_the_same_report_again_changes_no_verdict(key: str) -> None:
    ci = Machine(key)
    for version in ("v1", "v2", "v1", "v1"):
        ci.deploy(version=version, commitHash=version[1] * 40, deployedAt=f"2026-03-0{version[1]}T12:00:00Z")
    assert not FailureFinding.objects.exists()

    for _ in range(2):
        ci.deploy(version="v1", commitHash="1" * 40, deployedAt="2026-03-05T12:00:00Z")
    assert FailureFinding.objects.count() == 1
    assert Deployment.objects.count() == 3


def test_a_preview_says_what_rules_would_change_and_stores_nothing(
    pages: Client, rolled_back: list[Deployment]
) -> None:
    page = pages.post("/settings/failures/", {**RULES, "rollback_blame": "all", "preview": "yes"}).content.decode()

    assert "would be 50 % (2 of 4) instead of 25 % (1 of 4)." in page
    assert FailureRules.objects.get().rollback_blame == "first"
    assert FailureFinding.objects.count() == 1
    assert not RuleChange.objects.exists()
    assert not Track.objects.filter(judging_pending=True).exists()


def test_saved_rules_are_noted_and_have_everything_judged_anew_with_progress(
    pages: Client, rolled_back: list[Deployment]
) -> None:
    page = pages.post("/settings/failures/", {**RULES, "rollback_blame": "all"}, follow=True).content.decode()
    assert "Verdicts on 4 deployments are being found anew" in page
    assert "a rollback blames: first → all" in RuleChange.objects.get().summary.lower()

    judge_everything()
    assert set(Deployment.objects.filter(has_failed=True)) == {rolled_back[1], rolled_back[2]}
    assert "All deployments are judged" in pages.get("/settings/failures/progress/").content.decode()


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        ("^ok\n(unclosed", "“(unclosed” is no pattern: missing ): (unclosed."),
        ("(?=ahead)", "is no pattern: invalid perl operator"),
        ("\n".join(f"p{number}" for number in range(51)), "No more than 50 patterns."),
        ("x" * 201, "200 characters"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_reason(pages: Client, workspace: Any, patterns: str, said: str) -> None:
    answer = pages.post("/settings/failures/", {**RULES, "hotfix_titles": patterns})

    assert said in answer.content.decode().replace("&#x27;", "'")
    assert not RuleChange.objects.exists()


def test_an_application_has_a_window_of_its_own(pages: Client, shop: Shop) -> None:
    shop.line(1)
    application = shop.deploy(0, 1).application
    shop.work()
    pages.post(f"/applications/{application.pk}/", {"monorepo_path": "", "incident_window_hours": "48"})

    application.refresh_from_db()
    assert application.incident_window_hours == 48
    assert "hours until an incident: none → 48" in RuleChange.objects.get().summary
