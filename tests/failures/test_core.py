"""The plain core: patterns, what reverts say, and what follows from findings."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.failures import Deployed, Finding, Reason, verdict
from deployments.patterns import invalid_reason, matching
from deployments.reverts import is_titled, read_revert, reverted_number

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


@given(st.text(max_size=200), st.text(max_size=300))
def test_any_pattern_is_refused_or_found_without_harm(pattern: str, text: str) -> None:
    matching([pattern], text)
    assert isinstance(invalid_reason(pattern), str)


def test_a_pattern_that_would_hang_others_is_found_at_once() -> None:
    assert matching(["^(a+)+$"], "a" * 100_000 + "b") is None
    assert matching(["^HOTFIX/"], "hotfix/login") == "^HOTFIX/"


@given(st.text(max_size=300))
def test_any_message_is_read(message: str) -> None:
    said = read_revert(message)
    assert said is None or said.depth >= 1


@given(st.integers(1, 30), st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=40))
def test_each_revert_around_a_title_counts(depth: int, title: str) -> None:
    subject = f"x{title.strip()}x"
    for _ in range(depth):
        subject = f'Revert "{subject}"'
    said = read_revert(subject)

    assert said is not None
    assert said.depth == depth


@pytest.mark.parametrize(
    ("message", "title", "depth"),
    [
        ('Revert "Add cache"', "Add cache", 1),
        ('Revert "Add cache (#1)" (#2)', "Add cache (#1)", 1),
        ('Reapply "Add cache"', "Add cache", 2),
        ('Revert "Reapply "Add cache""', 'Reapply "Add cache"', 3),
    ],
)
def test_a_subject_says_what_it_takes_back(message: str, title: str, depth: int) -> None:
    said = read_revert(message)
    assert said is not None
    assert (said.title, said.depth) == (title, depth)


def test_a_title_is_that_of_a_commit_with_or_without_a_number() -> None:
    assert is_titled("Add cache (#1)", "Add cache")
    assert is_titled("Add cache (#1)", "Add cache (#1)")
    assert not is_titled("Add cache twice", "Add cache")


@pytest.mark.parametrize(
    ("body", "branch", "number"),
    [
        ("Reverts acme/api#12", "revert-12-add", 12),
        ("Reverts #12", "fix", 12),
        ("", "revert-12-add-cache", 12),
        ("Reverts other/repo#12", "fix", None),
        ("It does not revert #12", "unrevert-12-x", None),
    ],
)
def test_a_pull_request_says_what_it_reverts(body: str, branch: str, number: int | None) -> None:
    assert reverted_number(body, branch, "acme/api") == number


findings = st.lists(
    st.builds(
        lambda hour, repair: Finding(
            1, Reason.HOTFIX if repair else Reason.INCIDENT, "", hour and START + dt.timedelta(hours=hour),
            repair if hour else None, None if repair else 7,
        ),
        st.one_of(st.none(), st.integers(1, 9)),
        st.one_of(st.none(), st.integers(2, 5)),
    ),
    max_size=4,
)  # fmt: skip


@given(findings, st.sampled_from([None, True, False]), st.booleans())
def test_a_verdict_is_what_a_person_says_or_else_what_was_found(
    found: list[Finding], overruled: bool | None, is_followed: bool
) -> None:
    following = Deployed(9, 1, START + dt.timedelta(days=1), "v9", "c9", "forward") if is_followed else None
    said = verdict(found, overruled, following)

    assert said.has_failed == (bool(found) if overruled is None else overruled)
    if said.repaired_by is not None:
        assert said.has_failed
        assert said.repaired_at is not None
        repairs = [one.repaired_at for one in found if one.repair and one.repaired_at]
        assert said.repaired_at == min(repairs, default=following.deployed_at if following else None)
