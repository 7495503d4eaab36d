"""Each rule by which a deployment is found to have failed, and the cases that are easily got wrong."""

import datetime as dt

import pytest

from deployments.models import Deployment, FailureFinding, Incident, PullRequest
from deployments.processing import finish_pending_work
from deployments.verdicts import overrule, withdraw_overruling
from tests import factories
from tests.failures.stories import START, Shop, at, sha

pytestmark = pytest.mark.django_db


def test_of_v1_v2_v3_v1_the_first_after_the_version_returned_to_has_failed(shop: Shop) -> None:
    shop.line(1, 2, 3)
    for hour, commit in enumerate([1, 2, 3, 1]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.found() == {(1, "rollback", 3)}
    assert shop.failed() == {1: 3}
    assert shop.rework() == {3}
    assert FailureFinding.objects.get().why == "v3 returned to v1."


@pytest.mark.parametrize(("blame", "failed"), [("first", {1}), ("last", {2}), ("all", {1, 2})])
def test_a_setting_says_whom_a_rollback_blames(shop: Shop, blame: str, failed: set[int]) -> None:
    shop.set_rules(rollback_blame=blame)
    shop.line(1, 2, 3)
    for hour, commit in enumerate([1, 2, 3, 1]):
        shop.deploy(hour, commit)
    shop.work()

    assert set(shop.failed()) == failed


def test_a_rollback_is_found_by_the_version_where_no_history_is_known(shop: Shop) -> None:
    for hour, commit in enumerate([1, 2, 3, 1]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 3}


def test_a_version_that_was_built_anew_is_a_return_to_it(shop: Shop) -> None:
    shop.deploy(0, 1, "1.0")
    shop.deploy(1, 2, "1.1")
    shop.deploy(2, 3, "1.0")
    shop.work()

    assert shop.failed() == {1: 2}


def test_what_was_rolled_back_and_comes_again_is_no_rollback_where_no_history_is_known(shop: Shop) -> None:
    for hour, commit in enumerate([1, 2, 1, 2]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 2}


def test_a_word_that_every_deployment_has_for_a_version_tells_nothing(shop: Shop) -> None:
    for hour, version in enumerate(["latest", "next", "latest"]):
        shop.deploy(hour, hour + 1, version)
    shop.work()

    assert shop.failed() == {}


def test_a_version_that_several_commits_had_tells_nothing(shop: Shop) -> None:
    for hour, version in enumerate(["v1", "v2", "v1", "v2", "v1"]):
        shop.deploy(hour, hour + 1, version)
    shop.work()

    assert set(shop.failed()) == {1}  # of the last nobody can tell


def test_a_rollback_to_a_commit_that_was_never_deployed_blames_the_first_that_contains_it(shop: Shop) -> None:
    shop.line(1, 2, 3, 4)
    for hour, commit in enumerate([1, 3, 4, 2]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 3}
    assert FailureFinding.objects.get().why == "v4 returned to v2, which it contains."


def test_only_the_unbroken_run_before_such_a_rollback_is_to_blame(shop: Shop) -> None:
    shop.line(1, 2, 3, 4)
    for hour, commit in enumerate([1, 3, 1, 4, 2]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 2, 3: 4}


def test_the_same_version_again_is_no_failure(shop: Shop) -> None:
    shop.line(1)
    shop.deploy(0, 1)
    shop.deploy(1, 1)
    shop.work()

    assert shop.failed() == {}


def test_a_redeploy_is_not_to_blame_but_what_put_its_commit_there(shop: Shop) -> None:
    shop.set_rules(rollback_blame="last")
    shop.line(1, 2)
    for hour, commit in enumerate([1, 2, 2, 1]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 3}


def test_what_was_repaired_already_is_not_blamed_for_a_later_rollback(shop: Shop) -> None:
    shop.line(1, 2)
    shop.commit(3, 2, message="Hotfix: mend the cart")
    for hour, commit in enumerate([1, 2, 3, 1]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 2, 2: 3}


def test_going_forward_again_after_a_rollback_is_no_failure(shop: Shop) -> None:
    shop.line(1, 2)
    for hour, commit in enumerate([1, 2, 1, 2]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 2}


def test_two_deployments_in_the_same_second_follow_one_another_as_they_were_told(shop: Shop) -> None:
    shop.line(1, 2, 3)
    for commit in [1, 2, 3]:
        shop.deploy(0, commit)
    last = shop.deploy(0, 1, "v1-again")
    shop.work()

    blamed = Deployment.objects.get(has_failed=True)
    assert (blamed.version, blamed.repaired_by) == ("v2", last)


@pytest.mark.parametrize(
    "message",
    [
        'Revert "Add cache"\n\nThis reverts commit SHA.',
        "Take the cache out\n\nThis reverts commit SHA.",
        "Take the cache out\n\nThis reverts commit ABBREVIATED.",
        'Revert "Add cache"',
        'Revert "Add cache" (#12)',
    ],
)
def test_a_revert_blames_the_deployment_that_first_shipped_the_change(shop: Shop, message: str) -> None:
    shop.commit(1)
    shop.commit("cache", 1, message="Add cache")
    shop.commit(3, "cache")
    text = message.replace("SHA", sha("cache")).replace("ABBREVIATED", sha("cache")[:9])
    shop.commit(4, 3, message=text)
    for hour, commit in enumerate([1, "cache", 3, 4]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.found() == {(1, "revert", 3)}
    assert "first shipped here" in FailureFinding.objects.get().why


def test_a_revert_of_a_revert_blames_nobody_and_its_revert_blames_what_landed_the_change_again(shop: Shop) -> None:
    shop.commit(1)
    shop.commit("cache", 1, message="Add cache")
    shop.commit("back", "cache", message=f'Revert "Add cache"\n\nThis reverts commit {sha("cache")}.')
    shop.commit("again", "back", message=f'Reapply "Add cache"\n\nThis reverts commit {sha("back")}.')
    shop.commit("out", "again", message=f'Revert "Reapply "Add cache""\n\nThis reverts commit {sha("again")}.')
    for hour, commit in enumerate([1, "cache", "back", "again", "out"]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 2, 3: 4}
    assert shop.rework() == {2, 4}


def test_the_subject_alone_tells_a_revert_of_a_revert(shop: Shop) -> None:
    shop.commit(1)
    shop.commit("cache", 1, message="Add cache (#1)")
    shop.commit("back", "cache", message='Revert "Add cache (#1)" (#2)')
    shop.commit("again", "back", message='Revert "Revert "Add cache (#1)" (#2)" (#3)')
    for hour, commit in enumerate([1, "cache", "back", "again"]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 2}


def test_a_change_and_its_revert_in_one_deployment_are_no_failure(shop: Shop) -> None:
    shop.commit(1)
    shop.commit("cache", 1, message="Add cache")
    shop.commit("back", "cache", message='Revert "Add cache"')
    shop.deploy(0, 1)
    shop.deploy(1, "back")
    shop.work()

    assert shop.failed() == {}


def test_a_revert_that_is_undone_in_the_same_deployment_is_no_failure(shop: Shop) -> None:
    shop.commit(1)
    shop.commit("cache", 1, message="Add cache")
    shop.commit("back", "cache", message=f'Revert "Add cache"\n\nThis reverts commit {sha("cache")}.')
    shop.commit("again", "back", message=f'Reapply "Add cache"\n\nThis reverts commit {sha("back")}.')
    for hour, commit in enumerate([1, "cache", "again"]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {}


def test_what_the_baseline_brought_is_not_blamed_for_a_revert(shop: Shop) -> None:
    shop.commit("cache", message="Add cache")
    shop.commit("back", "cache", message=f'Revert "Add cache"\n\nThis reverts commit {sha("cache")}.')
    shop.deploy(0, "cache")
    shop.deploy(1, "back")
    shop.work()

    assert shop.failed() == {}


def test_a_hotfix_from_a_branch_of_an_old_version_blames_what_ran(shop: Shop) -> None:
    shop.line(1, 2)
    shop.commit("fix", 1, message="hotfix: close the hole")
    for hour, commit in enumerate([1, 2, "fix"]):
        shop.deploy(hour, commit)
    shop.work()

    assert Deployment.objects.get(version="vfix").change_kind == "diverged"
    assert shop.found() == {(1, "hotfix", 2)}
    assert shop.rework() == {2}


def test_a_hotfix_after_a_redeploy_blames_what_put_the_commit_there(shop: Shop) -> None:
    shop.line(1, 2)
    shop.commit(3, 2, message="HOTFIX the login")
    for hour, commit in enumerate([1, 2, 2, 3]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 3}


def test_the_first_deployment_of_all_may_need_a_hotfix(shop: Shop) -> None:
    shop.line(1)
    shop.commit(2, 1, message="hotfix: start at all")
    shop.deploy(0, 1)
    shop.deploy(1, 2)
    shop.work()

    assert shop.failed() == {0: 1}


def test_patterns_that_a_workspace_chose_tell_a_hotfix(shop: Shop) -> None:
    shop.set_rules(hotfix_titles=["^urgent"])
    shop.line(1)
    shop.commit(2, 1, message="hotfix: no")
    shop.commit(3, 2, message="Urgent: yes")
    for hour, commit in enumerate([1, 2, 3]):
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {1: 2}


def test_a_report_says_which_version_it_fixes_also_where_that_is_told_of_later(shop: Shop) -> None:
    shop.line(1, 2, 3)
    shop.deploy(0, 1)
    shop.deploy(2, 3, fixes_version="v2")
    shop.work()
    assert shop.failed() == {}

    shop.deploy(1, 2)
    shop.work()
    assert shop.found() == {(1, "fixes_version", 2)}
    assert shop.rework() == {2}


def test_one_that_failed_before_it_got_there_is_repaired_by_the_next_that_did(shop: Shop) -> None:
    shop.line(1, 2)
    shop.deploy(0, 1)
    shop.deploy(1, 2, state="failure")
    shop.work()
    assert shop.failed() == {1: None}

    shop.deploy(2, 2)
    shop.work()
    assert shop.failed() == {1: 2}
    assert shop.rework() == set()


def test_one_that_failed_and_then_succeeded_has_not_failed(shop: Shop) -> None:
    shop.line(1, 2)
    shop.deploy(0, 1)
    shop.deploy(1, 2, state="failure")
    shop.work()
    shop.deploy(1, 2, state="success")
    shop.work()

    assert shop.failed() == {}


def test_one_that_succeeded_and_then_turned_out_to_have_failed_has(shop: Shop) -> None:
    shop.line(1, 2)
    shop.deploy(0, 1)
    shop.deploy(1, 2)
    shop.work()
    shop.deploy(1, 2, state="error")
    shop.deploy(1, 2, state="inactive")
    shop.work()

    assert shop.failed() == {1: None}


def test_a_failure_that_was_repaired_within_the_minimum_does_not_count(shop: Shop) -> None:
    shop.set_rules(minimum_minutes=60)
    shop.line(1, 2, 3)
    for hour, commit in [(0, 1), (1, 2), (1.9, 1), (3, 3), (4, 1)]:
        shop.deploy(hour, commit)
    shop.work()

    assert shop.failed() == {3: 4}


@pytest.mark.parametrize("rule", ["rollbacks", "reverts", "hotfixes", "failed_statuses"])
def test_a_rule_that_is_switched_off_finds_nothing(shop: Shop, rule: str) -> None:
    shop.set_rules(**{rule: False})
    shop.line(1, 2)
    shop.commit(3, 2, message="hotfix")
    shop.commit(4, 3, message=f"Out\n\nThis reverts commit {sha(2)}.")
    for hour, commit in enumerate([1, 2, 3, 4]):
        shop.deploy(hour, commit)
    shop.deploy(4, 3)
    shop.deploy(5, 5, state="error")
    shop.work()

    reasons = {"rollbacks": "rollback", "reverts": "revert", "hotfixes": "hotfix", "failed_statuses": "failed_status"}
    assert {reason for _, reason, _ in shop.found()} == {*reasons.values()} - {reasons[rule]}


def open_pull_requests(shop: Shop, *told: tuple[int, str, int | None]) -> None:
    """Tell of merged pull requests: their numbers, what they were merged as, and the numbers that they revert."""
    for number, merge, reverts in told:
        PullRequest.objects.create(
            repository=shop.catalog.repository("acme/shop"), number=number, title=f"No {number}",
            merge_commit_sha=sha(merge), opened_at=START, merged_at=START, facts_at=START, reverts_number=reverts,
            changes_pending=True,
        )  # fmt: skip


def test_a_revert_pull_request_blames_what_shipped_the_other(shop: Shop) -> None:
    shop.commit(1)
    shop.commit("merged", 1, message="Whatever GitHub wrote")
    shop.commit("reverted", "merged", message="Take it out")
    open_pull_requests(shop, (7, "merged", None), (8, "reverted", 7))
    for hour, commit in enumerate([1, "merged", "reverted"]):
        shop.deploy(hour, commit)
    shop.work()
    finish_pending_work()

    assert shop.found() == {(1, "revert", 2)}


@pytest.mark.parametrize(
    "message", ['Revert "Take it out" (#9)', "Put it back\n\nThis reverts commit SHA.", "Put it back"]
)
def test_a_revert_of_a_revert_of_another_title_blames_nobody(shop: Shop, message: str) -> None:
    shop.commit(1)
    shop.commit("merged", 1, message="Add carts (#7)")
    shop.commit("reverted", "merged", message="Take it out")
    shop.commit("again", "reverted", message=message.replace("SHA", sha("reverted")))
    open_pull_requests(shop, (7, "merged", None), (8, "reverted", 7), (9, "again", 8))
    for hour, commit in enumerate([1, "merged", "reverted", "again"]):
        shop.deploy(hour, commit)
    shop.work()
    finish_pending_work()

    assert shop.found() == {(1, "revert", 2)}


def test_a_commit_of_a_revert_pull_request_may_take_back_something_else_besides(shop: Shop) -> None:
    shop.line(1, 2)
    shop.commit("merged", 2, message="Add carts (#7)")
    shop.commit("reverted", "merged", message=f"Take both out\n\nThis reverts commit {sha(2)}.")
    open_pull_requests(shop, (7, "merged", None), (8, "reverted", 7))
    for hour, commit in enumerate([1, 2, "merged", "reverted"]):
        shop.deploy(hour, commit)
    shop.work()
    finish_pending_work()

    assert shop.found() == {(1, "revert", 3), (2, "revert", 3)}


def make_incident(shop: Shop, hour: float, resolved: float | None = None, **fields: object) -> Incident:
    repository = shop.catalog.repository("acme/shop")
    return Incident.objects.create(
        workspace=shop.workspace, repository=repository, title="Carts are empty", started_at=at(hour),
        resolved_at=None if resolved is None else at(resolved), cause_pending=True, **fields,
    )  # fmt: skip


def test_two_incidents_of_one_deployment_are_one_failure_until_the_last_is_resolved(shop: Shop) -> None:
    shop.line(1, 2)
    shop.deploy(0, 1)
    failed = shop.deploy(1, 2)
    make_incident(shop, 2, 3)
    second = make_incident(shop, 2.5)
    shop.work()
    failed.refresh_from_db()
    assert (failed.has_failed, failed.repaired_at) == (True, None)

    Incident.objects.filter(pk=second.pk).update(resolved_at=at(5), cause_pending=True)
    shop.work()
    failed.refresh_from_db()
    assert failed.repaired_at == at(5)
    assert shop.failed() == {1: None}


def test_an_incident_after_the_window_is_blamed_on_nobody(shop: Shop) -> None:
    shop.line(1)
    deployment = shop.deploy(0, 1)
    make_incident(shop, 25)
    shop.work()
    assert shop.failed() == {}

    deployment.application.incident_window_hours = 48
    deployment.application.save()
    Incident.objects.update(cause_pending=True)
    shop.work()
    assert shop.failed() == {0: None}


def test_a_deployment_told_of_late_takes_the_blame_for_an_incident(shop: Shop) -> None:
    shop.line(1, 2)
    shop.deploy(0, 1)
    make_incident(shop, 2, 3)
    shop.work()
    assert set(shop.failed()) == {0}

    shop.deploy(1, 2)
    shop.work()
    assert set(shop.failed()) == {1}


def test_an_incident_is_not_blamed_on_a_redeploy_nor_on_another_environment(shop: Shop) -> None:
    shop.line(1)
    shop.deploy(0, 1)
    shop.deploy(1, 1)
    shop.deploy(2, 1, environment="staging")
    make_incident(shop, 3, 4)
    shop.work()

    assert set(shop.failed()) == {0}


def test_a_withdrawn_incident_and_one_that_somebody_says_nobody_caused_blame_nobody(shop: Shop) -> None:
    shop.line(1)
    shop.deploy(0, 1)
    make_incident(shop, 1, is_withdrawn=True)
    make_incident(shop, 2, cause_is_pinned=True)
    shop.work()

    assert shop.failed() == {}


def test_what_a_person_says_outlives_every_recomputation(shop: Shop) -> None:
    person = factories.make_user(shop.workspace)
    shop.line(1, 2, 3)
    deployed = [shop.deploy(hour, commit) for hour, commit in enumerate([1, 2, 3, 1])]
    shop.work()
    overrule(deployed[1], "failure", False, "It was the network.", person)
    overrule(deployed[2], "failure", True, "It lost orders.", person)
    overrule(deployed[0], "rework", True, "It was in a hurry.", person)
    expected = {2: 3}
    assert shop.failed() == expected
    assert shop.rework() == {0}

    shop.judge_anew()
    assert shop.failed() == expected
    assert shop.rework() == {0}

    withdraw_overruling(deployed[1], "failure")
    withdraw_overruling(deployed[2], "failure")
    withdraw_overruling(deployed[0], "rework")
    assert shop.failed() == {1: 3}
    assert shop.rework() == {3}


def test_one_that_only_a_person_calls_failed_is_repaired_by_the_next_however_late_that_is_told(shop: Shop) -> None:
    shop.line(1, 2, 3)
    failed = shop.deploy(0, 1)
    shop.deploy(5, 3)
    shop.work()
    overrule(failed, "failure", True, "It lost orders.", None)
    assert shop.failed() == {0: 5}

    shop.deploy(2, 2)
    shop.work()
    assert shop.failed() == {0: 2}
    failed.refresh_from_db()
    assert failed.repaired_at == at(2)


def test_an_archived_deployment_repairs_nothing_until_it_is_restored(shop: Shop) -> None:
    from deployments import recording

    shop.line(1, 2, 3)
    deployed = [shop.deploy(hour, commit) for hour, commit in enumerate([1, 2, 3, 1])]
    shop.work()
    recording.archive(Deployment.objects.get(pk=deployed[3].pk))
    shop.work()
    assert shop.failed() == {}

    recording.restore(Deployment.objects.get(pk=deployed[3].pk))
    shop.work()
    assert shop.failed() == {1: 3}


def test_days_are_told_of_whose_failures_changed(shop: Shop) -> None:
    from deployments.signals import Place, days_changed

    told: set[dt.datetime] = set()

    def hear(places: set[Place], **_: object) -> None:
        told.update(moment for _, moment, _ in places)

    shop.line(1, 2, 3)
    for hour, commit in enumerate([1, 2, 3]):
        shop.deploy(hour, commit)
    shop.work()
    days_changed.connect(hear)
    try:
        shop.deploy(3, 1)
        shop.work()
    finally:
        days_changed.disconnect(hear)

    assert {at(1), at(3)} <= told
