"""What is right, by brute force: everything that is known, put into the right order, and counted with plain sets."""

import datetime as dt
from dataclasses import dataclass, field

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FIRST_DEPLOYMENT = 20  # days after the start


def sha(commit: int) -> str:
    return f"{commit:040x}"


def deployed_at(deployment: int) -> dt.datetime:
    return START + dt.timedelta(days=FIRST_DEPLOYMENT + deployment)


@dataclass(frozen=True)
class Told:
    """What has been told of a commit: parents are None where nobody told them, the day where nobody dated it."""

    parents: tuple[int, ...] | None = None
    day: int | None = None
    parents_are_inferred: bool = False


@dataclass(frozen=True)
class Right:
    """What a deployment has to say in the end."""

    kind: str
    changes: dict[str, int | None]  # commit → lead time in seconds
    gaps: set[str]  # unknown commits that its changes lead to


@dataclass
class Knowledge:
    """What has been told of the commits, in whatever order."""

    commits: dict[int, Told] = field(default_factory=dict)

    def learn(self, commit: int, told: Told) -> None:
        known = self.commits.get(commit, Told())
        better = known.parents is None or (known.parents_are_inferred and not told.parents_are_inferred)
        source = told if better and told.parents is not None else known
        self.commits[commit] = Told(
            source.parents, told.day if known.day is None else known.day, source.parents_are_inferred
        )

    def parents(self, commit: int) -> tuple[int, ...]:
        told = self.commits.get(commit)
        return () if told is None or told.parents is None else told.parents

    def is_open(self, commit: int) -> bool:
        """Whether a commit may have ancestors that nobody told of."""
        return commit not in self.commits or self.commits[commit].parents is None

    def reachable(self, commit: int) -> set[int]:
        """Return what is known to be reachable, with the unknown commits that it leads to."""
        seen: set[int] = set()
        stack = [commit]
        while stack:
            if (one := stack.pop()) not in seen:
                seen.add(one)
                stack += self.parents(one)
        return seen

    def right(self, deployed: dict[int, int]) -> dict[int, Right]:
        """Return what is right for the deployments that count, given as number and commit."""
        answers: dict[int, Right] = {}
        before: set[int] = set()
        tips: list[int] = []
        for number, commit in sorted(deployed.items()):
            reached = self.reachable(commit)
            new = reached - before if tips else set()
            shipped = {one for one in new if one in self.commits and len(self.parents(one)) < 2}
            answers[number] = Right(
                self._kind(commit, tips[-1]) if tips else "baseline",
                {sha(one): self._lead_time(one, number) for one in shipped},
                self._gaps(commit, new, tips),
            )
            before |= reached
            tips.append(commit)
        return answers

    def _lead_time(self, commit: int, deployment: int) -> int | None:
        day = self.commits[commit].day
        if day is None:
            return None
        return max(0, int((deployed_at(deployment) - START - dt.timedelta(days=day)).total_seconds()))

    def _gaps(self, commit: int, new: set[int], tips: list[int]) -> set[str]:
        """Return unknown commits that new ones name. One that was deployed by itself before is no gap."""
        known = {one for one in new if one in self.commits}
        named = {parent for one in known for parent in self.parents(one)} | {commit}
        unknown = {one for one in named if one not in self.commits and one not in tips}
        if commit in tips:
            return set()
        return {sha(one) for one in unknown | {one for one in known if self.is_open(one)}}

    def _kind(self, tip: int, previous: int) -> str:
        """Say how two commits relate; `unknown` where what is missing could make it one thing or another."""
        if tip == previous:
            return "redeploy"
        of_tip, of_previous = self.reachable(tip), self.reachable(previous)
        if previous in of_tip:
            return "forward"
        if tip in of_previous:
            return "rollback"
        # Whatever only one of them leads to may have the other among its ancestors. What both lead to cannot.
        return "unknown" if any(self.is_open(one) for one in of_tip ^ of_previous) else "diverged"
