"""Reads what deployments shipped that verdicts depend on: hotfixes, and what takes an earlier change back."""

from collections.abc import Iterator, Mapping

from django.db.models import Q
from django.db.models.functions import Substr

from deployments.failures import Deployed, Rules, Shipped, hotfix_in_pull_request, hotfix_in_title
from deployments.models import Change, PullRequestCommit, ShippedCommit
from deployments.reverts import read_revert
from deployments.takebacks import SHIPPED, Takeback, resolve, reverted_by

_MOST_SUBJECT = 500
_MOST_MESSAGE = 8_000


def read_shipped(deployments: Mapping[int, tuple[Deployed, int]], rules: Rules) -> dict[int, Shipped]:
    """Return what is of interest of what each deployment shipped. Each is given with the id of its repository."""
    if not deployments or not (rules.hotfixes or rules.reverts):
        return {}
    pull_requests = list(
        Change.objects.filter(deployment__in=list(deployments), pull_request__isnull=False)
        .select_related("commit", "pull_request")
        .only("deployment_id", "commit__sha", "commit__generation", *(f"pull_request__{name}" for name in _TOLD))
    )
    hotfixes = _hotfixes(list(deployments), pull_requests, rules) if rules.hotfixes else {}
    takebacks = _takebacks(deployments, pull_requests) if rules.reverts else []
    taken_back = resolve(takebacks)
    reverting = {takeback.deployment.id for takeback in takebacks}
    return {
        pk: Shipped(tuple(taken_back.get(pk, ())), hotfixes.get(pk, ""), pk in reverting)
        for pk in hotfixes.keys() | reverting
    }


_TOLD = ("number", "title", "head_ref", "labels", "reverts_number")


def _hotfixes(ids: list[int], changes: list[Change], rules: Rules) -> dict[int, str]:
    """Say by what deployments shipped a hotfix: of several the first that is found."""
    found: dict[int, str] = {}
    for change in changes:
        row = change.pull_request
        if row is None or change.deployment_id in found:
            continue
        if words := hotfix_in_pull_request(row.title, row.head_ref, row.labels, rules):
            found[change.deployment_id] = words
    if not rules.hotfix_titles:
        return found
    singles = Change.objects.filter(deployment__in=ids, pull_request=None)
    subjects = singles.annotate(start=Substr("commit__message", 1, _MOST_SUBJECT)).exclude(start="")
    for pk, start in subjects.values_list("deployment_id", "start").iterator():
        if pk not in found and (words := hotfix_in_title(start.partition("\n")[0], rules)):
            found[pk] = words
    return found


def _takebacks(deployments: Mapping[int, tuple[Deployed, int]], changes: list[Change]) -> list[Takeback]:
    """Return the changes that say that they take something back: commits, and pull requests."""
    found = list(_reverting_commits(deployments))
    reverting = {
        row.pk: (change, row, said)
        for change in changes
        if (row := change.pull_request) is not None and (said := reverted_by(row)) is not None
    }
    if not reverting:
        return found
    commits: dict[int, set[str]] = {pk: set() for pk in reverting}
    links = PullRequestCommit.objects.filter(pull_request__in=list(reverting))
    for pk, sha in links.values_list("pull_request_id", "sha"):
        commits[pk].add(sha)
    for change in changes:
        row = change.pull_request
        if row is not None and row.pk in reverting:
            deployment, repository = deployments[change.deployment_id]
            shas = frozenset(commits[row.pk] | {change.commit.sha})
            said = reverting[row.pk][2]
            found.append(Takeback(deployment, repository, row.title, said, change.commit.generation, shas))
    return found


def _reverting_commits(deployments: Mapping[int, tuple[Deployed, int]]) -> Iterator[Takeback]:
    said_so = (
        Q(commit__message__icontains="reverts ")
        | Q(commit__message__istartswith='revert "')
        | Q(commit__message__istartswith='reapply "')
    )
    marks = ShippedCommit.objects.filter(said_so, deployment__in=list(deployments), outcome__in=SHIPPED)
    rows = marks.annotate(start=Substr("commit__message", 1, _MOST_MESSAGE)).values_list(
        "deployment_id", "commit__sha", "commit__generation", "start"
    )
    for pk, sha, generation, message in rows:
        said = read_revert(message)
        if said is not None:
            deployment, repository = deployments[pk]
            subject = message.partition("\n")[0]
            yield Takeback(deployment, repository, subject, said, generation, frozenset({sha}))
