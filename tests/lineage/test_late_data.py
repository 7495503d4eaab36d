"""What arrives late, piece by piece: each way in which it once went wrong, or could."""

import threading

import pytest
from django.db import connection

from deployments.attribution import Attribution
from deployments.models import Deployment
from tests.lineage.stories import Story, play

pytestmark = pytest.mark.django_db


def line(length: int) -> list[list[int]]:
    """Return a history without branches."""
    return [[number - 1] if number else [] for number in range(length)]


def tell(*commits: int) -> tuple[str, list[int], str]:
    return ("tell_commits", list(commits), "exact")


def deploy(number: int, state: str = "success") -> tuple[str, int, str]:
    return ("deploy", number, state)


WORK = ("work", 0)


def test_commits_of_a_failed_deployment_go_to_the_next_that_has_them_not_to_one_that_arrives_meanwhile() -> None:
    story = Story(line(2), [0, 1], [0, 1, 1, 1])
    play(story, [tell(0, 1), deploy(0), deploy(1), deploy(2), WORK, deploy(3), deploy(1, "failure")])
    assert Deployment.objects.get(version="2").changes_count == 1


def test_an_unknown_commit_that_failed_after_all_arrives_later_and_belongs_to_the_next_deployment() -> None:
    story = Story(line(3), [0, 1, 2], [0, 1, 2])
    play(story, [tell(0, 2), deploy(0), deploy(1), deploy(2), WORK, deploy(1, "failure"), WORK, tell(1)])
    assert Deployment.objects.get(version="2").changes_count == 2


def test_an_unknown_commit_that_turns_out_to_have_been_deployed_is_no_gap_of_a_later_deployment() -> None:
    story = Story(line(3), [0, 1, 2], [0, 1, 2])
    play(story, [tell(0, 2), deploy(0), deploy(2), WORK, deploy(1)])
    assert Deployment.objects.get(version="2").history_is_complete


def test_a_commit_that_raises_the_edge_of_the_baseline_has_decisions_taken_anew() -> None:
    # The baseline (3) leads over 2, whose clock is behind, and over 1, which is unknown at first, to 0.
    story = Story([[], [0], [1], [2], [], [4, 0]], [9, 9, 1, 10, 10, 11], [3, 4, 5])
    play(story, [tell(0, 2, 3, 4, 5), *map(deploy, range(3)), WORK])
    assert Deployment.objects.get(version="2").changes_count == 1
    play(story, [tell(1)])
    assert Deployment.objects.get(version="2").changes_count == 0


def test_a_baseline_that_is_worked_out_again_does_not_forget_what_was_found_missing_of_it() -> None:
    story = Story([*line(4), [], [4, 0]], [0, 1, 2, 3, 4, 9], [3, 4, 5])
    play(story, [tell(0, 2, 3, 4, 5), *map(deploy, range(3)), WORK])
    assert Deployment.objects.get(version="2").changes_count == 1
    play(story, [deploy(0, "failure"), deploy(0), WORK, tell(1)])
    assert Deployment.objects.get(version="2").changes_count == 0


def test_a_deployment_that_loses_commits_to_an_earlier_one_loses_their_gaps_too() -> None:
    story = Story(line(3), [0, 1, 2], [0, 2, 2])
    play(story, [tell(0, 2), deploy(0), deploy(2), WORK, deploy(1)])
    assert Deployment.objects.get(version="2").history_is_complete


def test_a_commit_that_nobody_told_of_makes_the_history_unknown_until_it_arrives() -> None:
    story = Story(line(4), [0, 1, 2, 3], [0, 3])
    play(story, [tell(0, 3), deploy(0), deploy(1)])
    later = Deployment.objects.get(version="1")
    assert (later.change_kind, later.changes_count, later.history_is_complete) == ("unknown", 1, False)
    play(story, [tell(1, 2)])
    later.refresh_from_db()
    assert (later.change_kind, later.changes_count, later.history_is_complete) == ("forward", 3, True)


def test_a_push_without_parents_is_a_line_until_someone_tells_the_parents() -> None:
    story = Story([[], [0], [0], [0]], [0, 1, 2, 3], [0, 3])
    play(story, [("tell_commits", [0, 1, 2, 3], "push"), deploy(0), deploy(1)])
    assert Deployment.objects.get(version="1").changes_count == 3
    play(story, [tell(3)])
    assert Deployment.objects.get(version="1").changes_count == 1


def test_parents_that_are_told_late_raise_a_child_that_stood_as_high_as_they() -> None:
    story = Story([[], [0], [0], [1]], [0, 0, 0, 0], [0, 1, 3])
    play(story, [("tell_commits", [0, 1, 2, 3], "bare"), *map(deploy, range(3)), WORK, tell(0, 1, 3)])
    assert Deployment.objects.get(version="2").change_kind == "forward"


def test_a_rollback_ships_nothing_and_what_returns_is_not_counted_again() -> None:
    story = Story(line(3), [0, 1, 2], [0, 1, 2, 1, 2])
    play(story, [tell(0, 1, 2), *map(deploy, range(5))])
    rows = Deployment.objects.in_track_order()  # type: ignore[attr-defined]
    assert [(row.change_kind, row.changes_count) for row in rows] == [
        ("baseline", 0), ("forward", 1), ("forward", 1), ("rollback", 0), ("forward", 0),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_commit_that_arrives_while_a_gap_for_it_is_found_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(line(3), [0, 1, 2], [0, 2])
    for event in [tell(0, 2), deploy(0), deploy(1)]:
        getattr(story, event[0])(*event[1:])
    walk = Attribution.work_out
    others: list[threading.Thread] = []

    def walk_and_have_another_arrive(self: Attribution, pending: list[Deployment]) -> None:
        walk(self, pending)
        if not others:
            others.append(threading.Thread(target=tell_the_missing_one))
            others[0].start()
            others[0].join(0.3)

    def tell_the_missing_one() -> None:
        story.tell_commits([1], "exact")
        connection.close()

    monkeypatch.setattr(Attribution, "work_out", walk_and_have_another_arrive)
    story.work(0)
    others[0].join()
    play(story, [])
    assert Deployment.objects.get(version="1").history_is_complete
