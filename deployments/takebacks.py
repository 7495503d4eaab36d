"""Finds what reverts take back, and which deployment of the same track first shipped that.

A revert of a revert brings a change back: what is taken back an even number of times stands. A revert that another
one undoes in the same deployment does nothing.
"""

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Substr

from deployments.failures import Deployed, TakenBack
from deployments.models import Commit, Deployment, PullRequest, PullRequestCommit, ShippedCommit
from deployments.reverts import Revert, is_titled, read_revert

SHIPPED = (ShippedCommit.Outcome.CHANGE, ShippedCommit.Outcome.MERGE)
_CHUNK = 100
_DEEPEST = 20
_MOST_MESSAGE = 8_000
# Among so many commits, the newest first, one is looked for by its subject.
_MOST_COMMITS = 10_000
_MOST_TITLED = 20
_FULL_LENGTHS = (40, 64)


@dataclass(frozen=True, slots=True)
class Takeback:
    """A change that a deployment shipped and that says that it takes something back."""

    deployment: Deployed
    repository: int
    words: str
    said: Revert
    generation: int  # of its latest commit
    shas: frozenset[str]  # its commits


def reverted_by(pull_request: PullRequest) -> Revert | None:
    """Return what a pull request takes back, as its title or GitHub's button says."""
    said = read_revert(pull_request.title)
    if pull_request.reverts_number is None:
        return said
    numbers = (pull_request.reverts_number,)
    return Revert((), numbers, said.title if said else "", said.depth if said else 1)


def resolve(takebacks: Sequence[Takeback]) -> dict[int, list[TakenBack]]:
    """Return for each deployment, by its id, what it takes back and which deployment first shipped that."""
    found: dict[int, list[TakenBack]] = {}
    for repository in sorted({takeback.repository for takeback in takebacks}):
        of_repository = [takeback for takeback in takebacks if takeback.repository == repository]
        targets = _Targets(repository, of_repository)
        said_once = _without_echoes(of_repository, targets)
        standing = [one for one in _standing(said_once, targets) if targets.depth(one.said) % 2]
        shippers = _Shippers(repository, standing, targets)
        for takeback in standing:
            shipped_by = shippers.of(takeback)
            if shipped_by is not None and shipped_by.id != takeback.deployment.id:
                found.setdefault(takeback.deployment.id, []).append(TakenBack(takeback.words, shipped_by))
    return found


def _without_echoes(takebacks: Sequence[Takeback], targets: "_Targets") -> list[Takeback]:
    """Leave out commits of a pull request that take back what it says itself by its number.

    The number leads on to what that pull request took back in its turn, where a commit may lead no further.
    """
    numbered: dict[tuple[int, str], Takeback] = {}
    for takeback in takebacks:
        if takeback.said.numbers:
            numbered.update(((takeback.deployment.id, sha), takeback) for sha in takeback.shas)

    def is_echo(takeback: Takeback) -> bool:
        whole = [numbered.get((takeback.deployment.id, sha)) for sha in takeback.shas]
        return any(one is not None and targets.of(takeback) <= targets.of(one) for one in whole)

    return [takeback for takeback in takebacks if takeback.said.numbers or not is_echo(takeback)]


def _standing(takebacks: Iterable[Takeback], targets: "_Targets") -> list[Takeback]:
    """Leave out what another change of the same deployment takes back in its turn."""
    undone: dict[int, set[str]] = {}
    standing = []
    for takeback in sorted(takebacks, key=lambda one: one.generation, reverse=True):
        of_deployment = undone.setdefault(takeback.deployment.id, set())
        if not of_deployment & takeback.shas:
            of_deployment |= targets.of(takeback)
            standing.append(takeback)
    return standing


class _Targets:
    """The commits that reverts of one repository take back."""

    def __init__(self, repository: int, takebacks: Sequence[Takeback]) -> None:
        self._repository = repository
        self._commits: dict[str, tuple[str, str]] = {}  # a hash as written → the commit's hash and message
        self._pull_requests: dict[int, PullRequest] = {}
        self._titled: dict[tuple[str, int, int], set[str]] = {}
        said = [takeback.said for takeback in takebacks]
        self._read_commits({sha for one in said for sha in one.hashes})
        self._read_pull_requests({number for one in said for number in one.numbers})

    def of(self, takeback: Takeback) -> set[str]:
        """Return the hashes of the commits that are taken back, as far as they are known."""
        said = takeback.said
        found = {self._commits[sha][0] for sha in said.hashes if sha in self._commits}
        if not found:
            known = [number for number in said.numbers if number in self._pull_requests]
            found = set().union(*(self._commits_of(number) for number in known))
        if not found and said.title:
            key = (said.title, takeback.deployment.track, takeback.generation)
            if key not in self._titled:
                self._titled[key] = self._find_titled(*key)
            found = self._titled[key]
        return found

    def depth(self, said: Revert, steps: int = 0) -> int:
        """Return how often something is taken back: 1 for a revert, 2 for a revert of a revert."""
        if steps == _DEEPEST:
            return said.depth
        known = [self._commits[sha] for sha in said.hashes if sha in self._commits]
        if known and known[0][1]:
            inner = read_revert(known[0][1])
        elif known_number := next((number for number in said.numbers if number in self._pull_requests), None):
            inner = reverted_by(self._pull_requests[known_number])
        else:
            return said.depth
        if inner is None:
            return 1
        self._read_commits(set(inner.hashes) - self._commits.keys())
        self._read_pull_requests(set(inner.numbers) - self._pull_requests.keys())
        return 1 + self.depth(inner, steps + 1)

    def _read_commits(self, hashes: Collection[str]) -> None:
        ordered = sorted(hashes)
        for start in range(0, len(ordered), _CHUNK):
            chunk = ordered[start : start + _CHUNK]
            full = [sha for sha in chunk if len(sha) in _FULL_LENGTHS]
            # A range, which the index of hashes can find: no hash begins with anything above “f”.
            begun = (Q(sha__gte=sha, sha__lt=f"{sha}g") for sha in chunk if len(sha) not in _FULL_LENGTHS)
            wanted = functools.reduce(Q.__or__, begun, Q(sha__in=full))
            rows = Commit.objects.filter(wanted, repository=self._repository)
            for sha, message in rows.values_list("sha", Substr("message", 1, _MOST_MESSAGE)):
                for written in chunk:
                    if sha.startswith(written):
                        self._commits[written] = (sha, message)

    def _read_pull_requests(self, numbers: Collection[int]) -> None:
        if numbers:
            rows = PullRequest.objects.filter(repository=self._repository, number__in=sorted(numbers))
            self._pull_requests.update((row.number, row) for row in rows)

    def _commits_of(self, number: int) -> set[str]:
        row = self._pull_requests[number]
        return {*row.commits.values_list("sha", flat=True), row.merge_commit_sha} - {""}

    def _find_titled(self, title: str, track_id: int, generation: int) -> set[str]:
        """Return the latest commit with a subject among those that were brought to the track."""
        older = Commit.objects.filter(repository=self._repository, generation__lt=generation)
        newest = older.order_by("-generation").values("pk")[:_MOST_COMMITS]
        shipped = Commit.objects.filter(
            pk__in=newest, message__startswith=title, shipped_commits__track=track_id
        ).order_by("-generation", "sha")
        for sha, message in shipped.values_list("sha", "message")[:_MOST_TITLED]:
            if is_titled(message.partition("\n")[0].strip(), title):
                return {sha}
        return set()


class _Shippers:
    """Which deployments first shipped what is taken back, each on its track."""

    def __init__(self, repository: int, takebacks: Sequence[Takeback], targets: _Targets) -> None:
        self._repository = repository
        self._targets = {takeback: targets.of(takeback) for takeback in takebacks}
        self._marks: dict[tuple[int, str], Deployed] = {}
        self._others: dict[str, set[str]] = {}
        tracks = {takeback.deployment.track for takeback in takebacks}
        self._read(tracks, {sha for shas in self._targets.values() for sha in shas})
        # A commit that never came here by itself may have come with its pull request, squashed or rebased.
        left = {sha for takeback, shas in self._targets.items() if self.of(takeback) is None for sha in shas}
        self._others = self._of_same_pull_requests(left)
        self._read(tracks, {sha for others in self._others.values() for sha in others})

    def of(self, takeback: Takeback) -> Deployed | None:
        """Return the deployment that first shipped what a change takes back, if any did."""
        shas = self._targets[takeback]
        others = {other for sha in shas for other in self._others.get(sha, ())}
        return self._first(takeback, shas) or self._first(takeback, others)

    def _first(self, takeback: Takeback, shas: Collection[str]) -> Deployed | None:
        track = takeback.deployment.track
        found = [self._marks[track, sha] for sha in shas if (track, sha) in self._marks]
        return min(found, key=lambda one: one.position, default=None)

    def _read(self, tracks: Collection[int], shas: Collection[str]) -> None:
        ordered = sorted(shas)
        for start in range(0, len(ordered), _CHUNK):
            marks = ShippedCommit.objects.filter(
                track__in=tracks,
                commit__repository=self._repository,
                commit__sha__in=ordered[start : start + _CHUNK],
                outcome__in=SHIPPED,
            )
            for mark in marks.select_related("commit", "deployment"):
                self._marks[mark.track_id, mark.commit.sha] = deployed(mark.deployment)

    def _of_same_pull_requests(self, shas: Collection[str]) -> dict[str, set[str]]:
        if not shas:
            return {}
        links = PullRequestCommit.objects.filter(repository=self._repository)
        own = list(links.filter(sha__in=sorted(shas)).values_list("sha", "pull_request_id"))
        everything: dict[int, set[str]] = {}
        for pk, sha in links.filter(pull_request__in=[pk for _, pk in own]).values_list("pull_request_id", "sha"):
            everything.setdefault(pk, set()).add(sha)
        return {sha: everything[pk] for sha, pk in own}


def deployed(row: Deployment) -> Deployed:
    """Return a deployment as the rules look at it."""
    return Deployed(
        row.pk, row.track_id, row.deployed_at, row.version, row.commit_sha, row.change_kind, row.fixes_version
    )
