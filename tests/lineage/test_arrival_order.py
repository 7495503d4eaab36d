"""Data arrives late and in any order; the end is always that of the right order."""

from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from deployments.models import Deployment, HistoryGap, MissingParent, Track
from tests.lineage.stories import Story, play

MOST_COMMITS = 9
MOST_DEPLOYMENTS = 6


class RolledBack(Exception):
    """Ends an example: its rows are not kept."""


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """A commit graph, the days of its commits, and the commits that were deployed one after another."""
    size = draw(st.integers(2, MOST_COMMITS))
    parents = [
        draw(st.lists(st.integers(max(0, number - 4), number - 1), min_size=number % 5 > 0, max_size=2, unique=True))
        if number
        else []
        for number in range(size)
    ]
    days = draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))
    if draw(st.booleans()):  # clocks that are right
        days = sorted(days)
    deployed = draw(st.lists(st.integers(0, size - 1), min_size=3, max_size=MOST_DEPLOYMENTS))
    return parents, days, deployed


@st.composite
def stories(draw: st.DrawFn, *, whole: bool) -> tuple[Any, list[tuple[Any, ...]]]:
    """A history and what happens to it, in any order; `whole`: in the end everything has been told."""
    history = draw(histories())
    commits, deployments = range(len(history[0])), range(len(history[2]))
    how = ["exact", "exact", "exact", "undated", "bare"]
    some = st.lists(st.sampled_from(commits), min_size=1, unique=True)
    deployment = st.sampled_from(deployments)
    told = st.one_of(
        st.tuples(st.just("tell_commits"), some, st.sampled_from(how)),
        st.tuples(st.just("tell_commits"), some.map(sorted), st.just("push")),
    )
    turns = st.one_of(
        st.tuples(st.just("deploy"), deployment, st.sampled_from(["success", "failure"])),
        st.tuples(st.just("set_archived"), deployment, st.sampled_from(["archive", "restore"])),
    )
    happened = [
        *draw(st.lists(told, max_size=4)),
        *draw(st.lists(turns, max_size=6)),
        *(("deploy", number, "success") for number in deployments),
    ]
    if whole:
        happened += [("tell_commits", [number], "exact") for number in commits]
    else:
        happened.append(("tell_commits", draw(some), "exact"))
    happened = draw(st.permutations(happened))
    pauses = draw(st.lists(st.sampled_from([None, None, 0, 0, 1, 2]), min_size=len(happened), max_size=len(happened)))
    return history, [
        event
        for one, limit in zip(happened, pauses, strict=True)
        for event in ([one] if limit is None else [one, ("work", limit)])
    ]


@pytest.mark.django_db
@given(stories(whole=False))
def test_whatever_has_arrived_in_whatever_order_the_result_is_that_of_the_right_order(told: Any) -> None:
    history, happened = told
    with pytest.raises(RolledBack), transaction.atomic():
        play(Story(*history), happened)
        raise RolledBack


@pytest.mark.django_db
@given(stories(whole=True))
def test_when_everything_has_arrived_nothing_is_unknown(told: Any) -> None:
    history, happened = told
    with pytest.raises(RolledBack), transaction.atomic():
        play(Story(*history), happened)
        assert not HistoryGap.objects.exists()
        assert not MissingParent.objects.exists()
        assert not Track.objects.filter(rebuild_pending=True).exists()
        assert "unknown" not in Deployment.objects.values_list("change_kind", flat=True)
        raise RolledBack
