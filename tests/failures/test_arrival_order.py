"""Whatever the order in which deployments and commits are told of, the verdicts are those of the right order."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from deployments import recording
from deployments.changes import derive_batch, tracks_with_pending_work
from deployments.models import Deployment, Overruling
from deployments.verdicts import judge_batch, tracks_with_pending_verdicts
from tests import factories
from tests.failures.stories import Shop, at, sha
from tests.github.hooks import SOME_EXAMPLES

_COMMITS = 8


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    """Return commits on a line with a few branches, and what was deployed when."""
    parents = [None, *(draw(st.sampled_from([number - 1, max(0, number - 2)])) for number in range(1, _COMMITS))]
    messages = ["Change"]
    for number in range(1, _COMMITS):
        target = draw(st.integers(0, number - 1))
        messages.append(
            draw(
                st.sampled_from(
                    [
                        f"Change {number}",
                        f"Change {number}",
                        f"hotfix {number}",
                        f'Revert "{messages[target]}"\n\nThis reverts commit {sha(target)}.',
                        f'Revert "{messages[target].splitlines()[0]}"',
                    ]
                )
            )
        )
    deployed = [
        (
            hour,
            draw(st.integers(0, _COMMITS - 1)),
            draw(st.sampled_from(["", "", f"v{draw(st.integers(0, 3))}"])),
            draw(st.sampled_from(["success"] * 5 + ["failure"])),
            draw(st.sampled_from(["", "", "", "v1"])),
        )
        for hour in range(draw(st.integers(2, 9)))
    ]
    return {
        "parents": parents,
        "messages": messages,
        "deployed": deployed,
        "blame": draw(st.sampled_from(["first", "last", "all"])),
        "archived": draw(st.sets(st.integers(0, len(deployed) - 1), max_size=2)),
    }


def tell(shop: Shop, story: dict[str, Any], event: tuple[str, int]) -> None:
    kind, number = event
    if kind == "commit":
        parent = story["parents"][number]
        parents = [] if parent is None else [parent]
        shop.commit(number, *parents, message=story["messages"][number], day=number)
        return
    hour, commit, version, state, fixes = story["deployed"][number]
    deployment = shop.deploy(hour, commit, version, state=state, fixes_version=fixes)
    if number in story["archived"]:
        recording.archive(Deployment.objects.get(pk=deployment.pk))


def work_a_little(chance: random.Random) -> None:
    for track_id in tracks_with_pending_work():
        derive_batch(track_id, chance.randint(1, 3))
    for track_id in tracks_with_pending_verdicts():
        judge_batch(track_id, chance.randint(1, 3))


class ArrivalOrder(TestCase):
    @settings(max_examples=SOME_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(stories(), st.randoms(use_true_random=False))
    def test_any_order_ends_like_the_right_one(self, story: dict[str, Any], chance: random.Random) -> None:
        events = [("commit", number) for number in range(_COMMITS)]
        events += [("deployment", number) for number in range(len(story["deployed"]))]
        right, other = (Shop(factories.make_workspace()) for _ in range(2))
        for shop in (right, other):
            shop.set_rules(rollback_blame=story["blame"])
        for event in events:
            tell(right, story, event)
        right.work()
        chance.shuffle(events)
        for event in events:
            tell(other, story, event)
            if chance.random() < 0.5:
                work_a_little(chance)
        other.work()

        assert other.everything() == right.everything()
        other.judge_anew()
        assert other.everything() == right.everything()
        self.assert_sound(other)

    def assert_sound(self, shop: Shop) -> None:
        """Each failure is repaired at most once, by what came later; nothing that does not count has failed."""
        rows = Deployment.objects.filter(workspace=shop.workspace).select_related("repaired_by")
        for row in rows:
            if row.has_failed:
                assert row.archived_at is None
                assert row.change_kind != "redeploy"
            if row.repaired_by is not None:
                assert row.has_failed
                assert row.repaired_at == row.repaired_by.deployed_at > row.deployed_at
            assert not row.verdict_pending
        failed, live = rows.filter(has_failed=True).count(), rows.filter(archived_at=None).count()
        assert failed <= live


@pytest.mark.django_db
def test_an_overruling_stays_when_what_it_is_about_is_told_again(shop: Shop) -> None:
    shop.line(0, 1)
    shop.deploy(0, 0)
    row = shop.deploy(1, 1)
    shop.work()
    Overruling.objects.create(deployment=row, verdict="failure", holds=True, reason="It lost orders.")
    shop.deploy(1, 1)
    shop.deploy(0.5, 0)
    shop.judge_anew()

    assert shop.failed() == {1: None}
    assert Deployment.objects.get(deployed_at=at(1)).overrulings.count() == 1
