"""Whole lives of pull requests: lead time and stages equal those worked out by hand, in every order of arrival."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.models import Change, Deployment, DeploymentTrigger, Environment, Workspace
from tests.factories import make_track
from tests.github.hooks import SOME_EXAMPLES, Github, Payload, Repo, commit, github_afresh, orders, sha, work

pytestmark = pytest.mark.django_db
HOUR = 3600
repo = Repo()

Event = tuple[str, Payload]


def changes(app: str = "shop") -> list[dict[str, Any]]:
    """Return the changes of an application, in the order in which they were deployed."""
    rows = Change.objects.filter(deployment__application__name=app).select_related("pull_request", "commit")
    return [
        {
            "of": f"#{row.pull_request.number}" if row.pull_request else row.commit.subject,
            "deployed": row.deployment.version,
            "lead": (row.lead_time_seconds or 0) / HOUR,
            "stages": None
            if row.coding_seconds is None
            else tuple(
                getattr(row, f"{name}_seconds") / HOUR
                for name in ("coding", "draft", "waiting_for_review", "review", "waiting_for_deployment")
            ),
        }
        for row in rows.order_by("deployment__deployed_at", "commit__generation", "commit__sha")
    ]


def deployed(number: int, name: str, hours: float) -> Event:
    return repo.deployment_status(number, name, "success", hours)


BEFORE = deployed(1, "base", 0)  # the baseline
V = {name: sha(name)[:12] for name in ("base", "S", "M", "R2", "X", "revert")}

# First commit at 1, second at 3, opened at 4, rebased with a new date at 6, first review at 9, merged at 12,
# deployed at 20: coding 3, waiting for review 5, review 3, waiting for deployment 8.
_OPENED = {"opened": 4, "head_sha": "c2"}
SQUASH: list[Event] = [
    BEFORE,
    repo.push("topic", "", [commit("c1", 1), commit("c2", 3)], 3.1),
    repo.pull_request(7, "opened", 4, **_OPENED, commits=2),
    repo.push("topic", "c2", [commit("d1", 5.9), commit("d2", 6)], 6, forced=True),
    repo.pull_request(
        7, "synchronize", 6, opened=4, head_sha="d2", commits=2, extra={"before": sha("c2"), "after": sha("d2")}
    ),
    repo.review(7, 9, opened=4, head_sha="d2"),
    repo.review(7, 11, "approved", opened=4, head_sha="d2"),
    repo.push("main", "base", [commit("S", 12, "Add a cart (#7)\n\n* one\n* two")], 12),
    repo.pull_request(7, "closed", 12, opened=4, head_sha="d2", merged=12, merge_sha="S", commits=2),
    repo.push("topic", "d2", [], 12.1),
    deployed(2, "S", 20),
]
SQUASHED = [{"of": "#7", "deployed": V["S"], "lead": 19.0, "stages": (3.0, 0.0, 5.0, 3.0, 8.0)}]

# The same two commits, opened as a draft and ready at 5; rebased by the merge: other hashes and dates, no number.
REBASE: list[Event] = [
    BEFORE,
    repo.push("topic", "", [commit("c1", 1, "One"), commit("c2", 3, "Two")], 3.1),
    repo.pull_request(8, "opened", 4, **_OPENED, commits=2, draft=True),
    repo.pull_request(8, "ready_for_review", 5, **_OPENED, commits=2),
    repo.review(8, 9, "approved", **_OPENED),
    repo.push("main", "base", [commit("R1", 12, "One"), commit("R2", 12, "Two")], 12),
    repo.pull_request(8, "closed", 12, **_OPENED, merged=12, merge_sha="R2", commits=2),
    deployed(2, "R2", 20),
]
REBASED = [{"of": "#8", "deployed": V["R2"], "lead": 19.0, "stages": (3.0, 1.0, 4.0, 3.0, 8.0)}]

# A merge commit, and a commit pushed past any pull request. Nobody reviewed: it waited for that until it was merged.
MERGE: list[Event] = [
    BEFORE,
    repo.push("topic", "", [commit("c1", 1)], 1.1),
    repo.push("topic", "c1", [commit("c2", 3)], 3.1),
    repo.pull_request(9, "opened", 4, **_OPENED, commits=2),
    repo.push("main", "base", [commit("X", 8, "Mend a typo")], 8),
    repo.push(
        "main",
        "X",
        [
            commit("c1", 1, distinct=False),
            commit("c2", 3, distinct=False),
            commit("M", 12, "Merge pull request #9 from acme/topic\n\nAdd a cart", ()),
        ],
        12,
    ),
    repo.pull_request(9, "closed", 12, **_OPENED, merged=12, merge_sha="M", commits=2),
    deployed(2, "M", 20),
]
MERGED = [
    {"of": "Mend a typo", "deployed": V["M"], "lead": 12.0, "stages": None},
    {"of": "#9", "deployed": V["M"], "lead": 19.0, "stages": (3.0, 0.0, 8.0, 0.0, 8.0)},
]

# Squashed and deployed; reverted by GitHub's button in a pull request of its own, which is a change of its own.
REVERT: list[Event] = [
    *SQUASH,
    repo.push(
        "revert-7-topic", "", [commit("r", 21, 'Revert "Add a cart (#7)"\n\nThis reverts commit ' + sha("S"))], 21
    ),
    repo.pull_request(10, "opened", 21, head="revert-7-topic", head_sha="r", title='Revert "Add a cart"'),
    repo.review(10, 22, "approved", opened=21, head="revert-7-topic", head_sha="r"),
    repo.push("main", "S", [commit("revert", 23, 'Revert "Add a cart (#7)" (#10)')], 23),
    repo.pull_request(
        10, "closed", 23, opened=21, head="revert-7-topic", head_sha="r", merged=23, merge_sha="revert"
    ),
    deployed(3, "revert", 24),
]
REVERTED = [*SQUASHED, {"of": "#10", "deployed": V["revert"], "lead": 3.0, "stages": (0.0, 0.0, 1.0, 1.0, 1.0)}]

LIVES: dict[str, tuple[list[Event], list[dict[str, Any]]]] = {
    "squash": (SQUASH, SQUASHED),
    "rebase": (REBASE, REBASED),
    "merge": (MERGE, MERGED),
    "revert": (REVERT, REVERTED),
}


@pytest.mark.parametrize("life", LIVES)
def test_a_life_in_order(github: Github, life: str) -> None:
    events, expected = LIVES[life]

    github.tell(*events)

    assert changes() == expected


@pytest.mark.parametrize("life", LIVES)
def test_a_life_backwards_and_doubled(github: Github, life: str) -> None:
    events, expected = LIVES[life]

    github.tell(*[event for event in reversed(events) for _ in range(2)])

    assert changes() == expected


@pytest.mark.parametrize("life", LIVES)
@settings(max_examples=SOME_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_life_in_any_order(django_db_blocker: Any, life: str, data: st.DataObject) -> None:
    """Delivered in any order, some of it again, with the worker at work after any of the deliveries."""
    events, expected = LIVES[life]
    order = data.draw(st.permutations(events))
    again = data.draw(st.lists(st.sampled_from(events), max_size=3))
    pauses = data.draw(st.sets(st.integers(0, len(events)), max_size=3))
    github = github_afresh()

    for number, (event, payload) in enumerate([*order, *again]):
        github.deliver(event, payload)
        if number in pauses:
            work()
    work()

    versions = Deployment.objects.order_by("deployed_at").values_list("version", flat=True)
    assert list(versions) == list(dict.fromkeys([V["base"], *(change["deployed"] for change in expected)]))
    assert changes() == expected
    github.workspace.delete()


def test_all_in_one_batch(github: Github) -> None:
    for event, payload in reversed(SQUASH):
        github.deliver(event, payload)
    work()

    assert changes() == SQUASHED


class TestMonorepo:
    """A pull request that touches two of three applications of a repository."""

    @pytest.fixture(autouse=True)
    def _applications(self, workspace: Workspace) -> None:
        for app in ("api", "web", "docs"):
            application = make_track(workspace, app, repository=repo.full_name).application
            application.monorepo_path = f"services/{app}"
            application.monorepo_path_is_pinned = True
            application.save()
            DeploymentTrigger.objects.create(
                application=application,
                kind="push",
                pattern="main",
                environment=Environment.objects.get(workspace=workspace, name="production"),
            )

    def story(self) -> list[Event]:
        api, web, docs = "services/api/a.py", "services/web/a.js", "services/docs/a.md"
        return [
            repo.push("main", "", [commit("base", 0, files=(api, web, docs))], 0),
            repo.push("topic", "", [commit("c1", 1, files=(api,)), commit("c2", 3, files=(web,))], 3.1),
            repo.pull_request(7, "opened", 4, **_OPENED, commits=2),
            repo.review(7, 9, **_OPENED),
            repo.push("main", "base", [commit("S", 12, "Both (#7)", (api, web))], 12),
            repo.pull_request(7, "closed", 12, **_OPENED, merged=12, merge_sha="S", commits=2),
        ]

    @pytest.mark.parametrize("order", [1, -1])
    def test_it_is_a_change_of_those_two_and_deploys_only_them(self, github: Github, order: int) -> None:
        github.tell(*self.story()[::order])

        expected = [{"of": "#7", "deployed": V["S"], "lead": 11.0, "stages": (3.0, 0.0, 5.0, 3.0, 0.0)}]
        assert changes("api") == changes("web") == expected
        assert changes("docs") == []
        per_app = {
            app: [row.version for row in Deployment.objects.filter(application__name=app).order_by("deployed_at")]
            for app in ("api", "web", "docs")
        }
        assert per_app == {"api": [V["base"], V["S"]], "web": [V["base"], V["S"]], "docs": [V["base"]]}


def test_permutations_of_what_happens_at_the_merge_are_all_tried(github: Github) -> None:
    """The three events of the merge itself, in each of their orders."""
    for order in orders(SQUASH[7:10]):
        one = github_afresh()
        one.tell(*SQUASH[:7], *order, SQUASH[10])
        assert changes() == SQUASHED
        one.workspace.delete()


def test_a_rebase_of_which_nobody_counted_the_commits(github: Github) -> None:
    events = [(event, json.loads(json.dumps(payload))) for event, payload in REBASE]
    for _, payload in events:
        payload.get("pull_request", {}).pop("commits", None)

    github.tell(*events)

    assert changes() == REBASED
