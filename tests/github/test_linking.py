"""Which commits belong to a pull request, and what stages it went through: plain functions over any data."""

import datetime as dt
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.commits import CommitReport
from deployments.linking import (
    BranchPush,
    Merge,
    branch_commits,
    looks_like_merge,
    merged_commits,
    pull_request_number,
)
from deployments.pushes import PushReport, infer_parents
from deployments.stages import Milestones, ready_at, stages
from tests.github.hooks import at

FEW = settings(max_examples=50, deadline=None)
NUMBERS = st.integers(1, 999_999_999)
TEXT = st.text(st.characters(blacklist_characters="\n#", blacklist_categories=["Cs"]), max_size=40)


class TestNumbers:
    @pytest.mark.parametrize(
        ("message", "number"),
        [
            ("Merge pull request #12 from acme/topic\n\nAdd a cart", 12),
            ("Add a cart (#12)", 12),
            ("Add a cart (#12)  \n\n* one (#3)", 12),
            ("Revert “Add a cart” (#15)", 15),
            ('Revert "Add a cart (#12)" (#15)', 15),
            ('Revert "Add a cart (#12)"', None),
            ("Mend what #12 broke", None),
            ("Add a cart\n\n(#12)", None),
            ("Merge branch 'main' into topic", None),
            ("Add (#12) a cart", None),
            ("(#0012345678901)", None),
            ("", None),
        ],
    )
    def test_of_a_message(self, message: str, number: int | None) -> None:
        assert pull_request_number(message) == number

    @FEW
    @given(TEXT, NUMBERS, TEXT)
    def test_of_any_squash_commit(self, title: str, number: int, body: str) -> None:
        assert pull_request_number(f"{title} (#{number})\n\n{body}") == number

    @FEW
    @given(TEXT, NUMBERS)
    def test_of_any_merge_commit(self, branch: str, number: int) -> None:
        message = f"Merge pull request #{number} from {branch}"

        assert pull_request_number(message) == number
        assert looks_like_merge(message)


def push(before: str, after: str, *commits: str, known: Sequence[str] = ()) -> BranchPush:
    return BranchPush(before, after, commits, frozenset(known))


class TestBranches:
    def test_all_pushes_back_to_its_creation(self) -> None:
        pushes = [push("", "b", "a", "b"), push("b", "c", "c"), push("c", "d", "d")]

        assert set(branch_commits(pushes, ["d"], ())[0]) == set("abcd")

    def test_what_came_after_its_end_is_not_its(self) -> None:
        pushes = [push("", "a", "a"), push("a", "b", "b"), push("b", "c", "c")]

        assert set(branch_commits(pushes, ["b"], ())[0]) == set("ab")

    def test_the_commits_from_before_a_rebase_are_still_its(self) -> None:
        pushes = [push("", "b", "a", "b"), push("b", "y", "x", "y")]

        assert set(branch_commits(pushes, ["y"], ())[0]) == set("abxy")

    def test_a_branch_of_the_same_name_ends_where_an_earlier_one_did(self) -> None:
        pushes = [push("", "a", "a"), push("a", "b", "b")]

        assert set(branch_commits(pushes, ["b"], ["a"])[0]) == {"b"}

    def test_what_a_merge_brought_in_is_not_its(self) -> None:
        pushes = [push("", "a", "a"), push("a", "m", "x", "y", "m", known="xy")]

        assert set(branch_commits(pushes, ["m"], ())[0]) == set("am")

    def test_what_it_was_created_with_is(self) -> None:
        assert set(branch_commits([push("", "b", "a", "b", known="ab")], ["b"], ())[0]) == set("ab")

    @FEW
    @given(st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1, max_size=8), st.data())
    def test_the_order_of_the_pushes_does_not_matter(self, moves: list[list[int]], data: st.DataObject) -> None:
        pushes, tip = [], ""
        for number, commits in enumerate(moves):
            after = f"t{number}"
            pushes.append(push(tip, after, *map(str, commits), after))
            tip = after
        found, tips = branch_commits(pushes, [tip], ())

        shuffled, same_tips = branch_commits(data.draw(st.permutations(pushes)), [tip], ())
        assert (set(found), tips) == (set(shuffled), same_tips)
        assert set(found) == {sha for one in pushes for sha in one.commits}

    @FEW
    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=12))
    def test_moves_in_a_circle_come_to_an_end(self, moves: list[tuple[str, str]]) -> None:
        commits, _ = branch_commits([push(before, after, after) for before, after in moves], "a", ())

        assert set(commits) <= set("abcd")


MESSAGES = {"S": "Add it (#7)", "M": "Merge pull request #7 from acme/topic", "a": "One", "b": "Two", "x": "Other"}


class TestMerges:
    @pytest.mark.parametrize(
        ("sha", "pushed", "count", "expected"),
        [
            ("S", "xS", 2, "S"),
            ("M", "xabM", 2, "Mba"),
            ("b", "xab", 2, "ba"),
            ("b", "xb", 2, "b"),
            ("b", "", 2, "b"),
            ("S", "", None, "S"),
            ("b", "ab", None, "b"),
        ],
    )
    def test_squashed_merged_or_rebased(self, sha: str, pushed: str, count: int | None, expected: str) -> None:
        merge = Merge(7, sha, "tip", count)
        found = merged_commits(merge, list(pushed), MESSAGES, {"One", "Two"}, lambda commit: False)

        assert found == list(expected)

    def test_it_stops_at_what_is_anothers(self) -> None:
        found = merged_commits(Merge(7, "b", "tip", 3), list("xab"), MESSAGES, (), lambda commit: commit == "a")

        assert found == ["b"]

    @FEW
    @given(
        st.lists(st.sampled_from("abxSM"), unique=True),
        st.sampled_from("abxSM"),
        st.none() | st.integers(0, 9),
        st.sets(st.sampled_from("abxSM")),
    )
    def test_the_merge_itself_and_never_more_than_it_has(
        self, pushed: list[str], sha: str, count: int | None, others: set[str]
    ) -> None:
        found = merged_commits(Merge(7, sha, "b", count), pushed, MESSAGES, (), lambda commit: commit in others)

        assert found[0] == sha
        assert len(found) <= max(1, count or 1) + 1
        assert len(set(found)) == len(found)
        assert not set(found[1:]) & others


def report(*shas: str, before: str = "base", known: str = "", **fields: bool) -> PushReport:
    """Return a push of commits called by letters; capital ones are merges."""
    commits = tuple(CommitReport(sha, message="Merge branch 'x'" if sha.isupper() else sha) for sha in shas)
    return PushReport("refs/heads/main", before, shas[-1], at(1), commits, frozenset(known), **fields)


class TestParents:
    @pytest.mark.parametrize(
        ("push", "parents"),
        [
            (report("a", "b"), {"a": "base", "b": "a"}),
            (report("a", "b", before=""), {"a": None, "b": "a"}),
            (report("a", "b", is_forced=True), {"a": None, "b": "a"}),
            (report("a", "b", is_truncated=True), {"a": None, "b": "a"}),
            (report("a", "b", "M", known="ab"), {"a": "base", "b": "a", "M": "base b"}),
            (report("a", "b", "M"), {"a": "base", "b": "a", "M": "base b"}),
            # Own work before main was merged into it, in the order in which Git may list it.
            (report("o", "a", "b", "M", known="ab"), {"o": "base", "a": "base", "b": "a", "M": "o b"}),
            (report("a", "o", "b", "M", known="ab"), {"a": "base", "o": "a", "b": "a", "M": "o b"}),
            (report("a", "a", "b"), {"a": "base", "b": "a"}),
            (report("M"), {"M": "base"}),
            (report("base", "a"), {"a": "base"}),
        ],
    )
    def test_of_a_push(self, push: PushReport, parents: dict[str, str | None]) -> None:
        found = {commit.sha: commit.parents and " ".join(commit.parents) for commit in infer_parents(push)}

        assert found == parents

    @FEW
    @given(
        st.lists(st.sampled_from("abcdMNOP"), min_size=1, max_size=8),
        st.sets(st.sampled_from("abcdMNOP")),
        st.sampled_from(["", "base", "a"]),
    )
    def test_no_commit_is_its_own_ancestor(self, shas: list[str], known: set[str], before: str) -> None:
        seen: set[str] = {before}
        for commit in infer_parents(report(*shas, before=before, known="".join(known))):
            assert set(commit.parents or ()) <= seen
            assert len(set(commit.parents or ())) == len(commit.parents or ())
            seen.add(commit.sha)


HOURS = st.floats(-50, 50).map(at)
MAYBE = st.none() | HOURS


class TestStages:
    @FEW
    @given(HOURS, HOURS, HOURS, MAYBE, MAYBE, HOURS)
    def test_they_add_up_to_the_lead_time(
        self,
        first_commit_at: dt.datetime,
        opened_at: dt.datetime,
        ready: dt.datetime,
        first_review_at: dt.datetime | None,
        merged_at: dt.datetime | None,
        deployed_at: dt.datetime,
    ) -> None:
        milestones = Milestones(first_commit_at, opened_at, ready, first_review_at, merged_at)
        found = stages(milestones, deployed_at)
        parts = (found.coding, found.draft, found.waiting_for_review, found.review, found.waiting_for_deployment)

        assert all(part >= 0 for part in parts)
        assert sum(parts) == max(0, int((deployed_at - first_commit_at).total_seconds()))

    @FEW
    @given(HOURS, st.booleans(), st.lists(HOURS, max_size=4), MAYBE)
    def test_it_was_ready_before_its_first_review(
        self, opened_at: dt.datetime, as_draft: bool, times: list[dt.datetime], first_review_at: dt.datetime | None
    ) -> None:
        found = ready_at(opened_at, opened_as_draft=as_draft, ready_times=times, first_review_at=first_review_at)

        assert found in [opened_at, *times]
        assert found == opened_at or first_review_at is None or found <= first_review_at
