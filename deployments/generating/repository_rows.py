"""Writes out what landed in repositories: commits and pull requests."""

import numpy as np
from numpy.typing import NDArray

from deployments.generating import texts
from deployments.generating.histories import PlannedRepository
from deployments.generating.landings import Role, Style
from deployments.generating.loading import Loader
from deployments.generating.outcomes import Indices
from deployments.models import Commit, PullRequest, PullRequestCommit, PullRequestReview


def write_repository(loader: Loader, planned: PlannedRepository, part: int) -> None:
    """Write what landed in a repository in a part of the time."""
    chosen = planned.landed.of_part(part)
    if not planned.household.sends_commits or chosen.start == chosen.stop:
        return
    titles = texts.Titles(planned.landings).plain(chosen)
    files = _files(planned, chosen)
    _write_main_branch(loader, planned, chosen, titles, files)
    _write_branches(loader, planned, chosen, titles, files)
    _write_pull_requests(loader, planned, chosen, titles)


def _files(planned: PlannedRepository, chosen: slice) -> list[str | None] | None:
    """Return the files that each change touched, as pipelines of monorepos tell them."""
    members = planned.household.members
    if len(members) == 1:
        return None
    rows = planned.landings[chosen]
    paths = [f"{member.path}/src/main.py" for member in members]
    return [
        "README.md" if app < 0 else paths[app] if also < 0 else f"{paths[app]}\n{paths[also]}"
        for app, also in zip(rows["app"].tolist(), rows["also"].tolist(), strict=True)
    ]


def _spread(values: list[str | None] | None, which: Indices) -> list[str | None] | None:
    return None if values is None else [values[place] for place in which.tolist()]


def _write_main_branch(
    loader: Loader, planned: PlannedRepository, chosen: slice, titles: list[str], files: list[str | None] | None
) -> None:
    rows = planned.landings[chosen]
    which = np.repeat(np.arange(len(rows)), rows["commits"])
    last = planned.last_commit[chosen].astype(np.int64)
    places = np.arange(last[0] - rows["commits"][0] + 1, last[-1] + 1)
    to_come = last[which] - places  # how many commits of the same change follow
    at = rows["at"][which] - to_come
    first, style = rows["first_commit_at"][which], rows["style"][which]
    number = rows["commits"][which].astype(np.int64)
    coding = rows["opened_at"][which] - first
    authored = np.where(style == Style.FAST_FORWARD, first + (number - 1 - to_come) * coding // number, first)
    parents = texts.hashes(planned.shas, places - 1)
    if places[0] == 0:
        parents[0] = ""
    people = planned.household.people
    loader.add(
        Commit, len(places), id=planned.commits.ids(places), repository_id=planned.household.repository.pk,
        sha=texts.hashes(planned.shas, places), parents=parents, generation=at,
        authored_at=texts.times(np.where(style == Style.SQUASH, at, authored)), committed_at=texts.times(at),
        author=[people[author] for author in rows["author"][which].tolist()],
        message=_messages(planned, chosen, titles, which, to_come),
        files=_spread(files, which),
        pull_request_number=texts.or_none(which + chosen.start, style == Style.SQUASH),
    )  # fmt: skip


def _messages(
    planned: PlannedRepository, chosen: slice, titles: list[str], which: Indices, to_come: Indices
) -> list[str]:
    whole = texts.subjects(planned.landings, chosen, titles)
    reverts = np.flatnonzero(planned.landings["role"][chosen] == Role.REVERT)
    targets = planned.landings["target"][chosen][reverts]
    shas = texts.hashes(planned.shas, planned.last_commit[targets])
    for place, sha in zip(reverts.tolist(), shas, strict=True):
        whole[place] += f"\n\nThis reverts commit {sha}."
    messages = [whole[place] for place in which.tolist()]
    for place in np.flatnonzero(to_come > 0).tolist():
        messages[place] += f", {to_come[place]} to come"
    return messages


def _write_branches(
    loader: Loader, planned: PlannedRepository, chosen: slice, titles: list[str], files: list[str | None] | None
) -> None:
    """Write the commits of squashed pull requests, which are not on the main branch."""
    which = np.flatnonzero(planned.landings["style"][chosen] == Style.SQUASH)
    positions = which + chosen.start
    rows = planned.landings[positions]
    begun = rows["first_commit_at"]
    base = np.searchsorted(planned.landings["at"], begun, side="left") - 1
    people = planned.household.people
    loader.add(
        Commit, len(rows), id=planned.branch_commits.ids(planned.branch_place[positions].astype(np.int64)),
        repository_id=planned.household.repository.pk, sha=texts.hashes(planned.branch_shas, positions),
        parents=texts.hashes(planned.shas, planned.last_commit[base]), generation=begun,
        authored_at=texts.times(begun), committed_at=texts.times(begun),
        author=[people[author] for author in rows["author"].tolist()],
        message=[titles[place] for place in which.tolist()], files=_spread(files, which), pull_request_number=None,
    )  # fmt: skip


def _write_pull_requests(loader: Loader, planned: PlannedRepository, chosen: slice, titles: list[str]) -> None:
    which = np.flatnonzero(planned.landings["style"][chosen] != Style.SINGLE)
    positions = which + chosen.start
    rows = planned.landings[positions]
    repository = planned.household.repository
    people = planned.household.people
    ids = planned.pull_requests.ids(planned.pull_request_place[positions].astype(np.int64))
    merged = texts.hashes(planned.shas, planned.last_commit[positions])
    squashed = rows["style"] == Style.SQUASH
    branch = texts.hashes(planned.branch_shas, positions)
    heads = [tip if own else end for tip, end, own in zip(branch, merged, squashed.tolist(), strict=True)]
    at, reviewed, ready = (texts.times(rows[name]) for name in ("at", "reviewed_at", "ready_at"))
    address = f"https://github.com/{repository.full_name}/pull/"
    loader.add(
        PullRequest, len(rows), id=ids, repository_id=repository.pk, number=positions,
        title=[titles[place] for place in which.tolist()],
        url=[f"{address}{number}" for number in positions.tolist()],
        author=[people[author] for author in rows["author"].tolist()], author_is_bot=rows["is_bot"],
        state=PullRequest.State.MERGED.value, labels=_labels(rows), head_ref=_branches(planned, positions),
        base_ref="main", head_sha=heads, head_shas=[f'["{sha}"]' for sha in heads],
        reverts_number=_reverted(planned, rows), merge_commit_sha=merged, commits_count=rows["commits"],
        opened_at=texts.times(rows["opened_at"]), opened_as_draft=rows["is_draft"],
        ready_times=[
            f'["{str(moment).replace(" ", "T")}+00:00"]' if draft else "[]"
            for moment, draft in zip(ready, rows["is_draft"].tolist(), strict=True)
        ],
        merged_at=at, closed_at=at, facts_at=at, commits_are_stated=~squashed,
        first_commit_at=texts.times(rows["first_commit_at"]), first_review_at=reviewed, approved_at=reviewed,
    )  # fmt: skip
    _write_reviews(loader, planned, rows, ids, reviewed)
    _link_commits(loader, planned, positions, ids, heads)


def _labels(rows: NDArray[np.void]) -> list[str]:
    labels = np.where(rows["is_bot"], '["dependencies"]', np.where(rows["role"] == Role.HOTFIX, '["hotfix"]', "[]"))
    return labels.tolist()  # type: ignore[no-any-return]


def _reverted(planned: PlannedRepository, rows: NDArray[np.void]) -> list[int | None]:
    target = rows["target"].astype(np.int64)
    is_pull_request = planned.landings["style"][target] != Style.SINGLE
    return texts.or_none(target, (target >= 0) & is_pull_request)


def _branches(planned: PlannedRepository, positions: Indices) -> list[str]:
    rows = planned.landings[positions]
    names = [f"feature/{position}" for position in positions.tolist()]
    for place in np.flatnonzero(rows["is_bot"] | (rows["role"] != Role.NORMAL)).tolist():
        row, position = rows[place], positions[place]
        if row["is_bot"]:
            names[place] = f"renovate/{position}"
        else:
            names[place] = (
                f"hotfix/{position}" if row["role"] == Role.HOTFIX else f"revert-{row['target']}-{position}"
            )
    return names


def _write_reviews(
    loader: Loader, planned: PlannedRepository, rows: NDArray[np.void], ids: Indices, reviewed: list[str | None]
) -> None:
    which = np.flatnonzero(rows["reviewed_at"] > 0)
    people = planned.household.people
    loader.add(
        PullRequestReview, len(which), pull_request_id=ids[which], github_id=ids[which], state="approved",
        author=[people[(author + 1) % (len(people) - 1)] for author in rows["author"][which].tolist()],
        submitted_at=[reviewed[place] for place in which.tolist()],
    )  # fmt: skip


def _link_commits(
    loader: Loader, planned: PlannedRepository, positions: Indices, ids: Indices, heads: list[str]
) -> None:
    """Write which commits belong to pull requests: GitHub lists those of one that was not squashed."""
    rows = planned.landings[positions]
    squashed = rows["style"] == Style.SQUASH
    which = np.repeat(np.arange(len(rows)), rows["commits"])
    first = planned.last_commit[positions].astype(np.int64) - rows["commits"] + 1
    places = (
        first[which]
        + np.arange(len(which))
        - np.repeat(np.cumsum(rows["commits"]) - rows["commits"], rows["commits"])
    )
    merged, head = PullRequestCommit.Role.MERGED.value, PullRequestCommit.Role.HEAD.value
    repository = planned.household.repository.pk
    loader.add(
        PullRequestCommit, len(which), pull_request_id=ids[which], repository_id=repository,
        sha=texts.hashes(planned.shas, places), is_stated=~squashed[which],
        role=np.where(squashed[which], merged, head).tolist(),
    )  # fmt: skip
    own = np.flatnonzero(squashed)
    loader.add(
        PullRequestCommit, len(own), pull_request_id=ids[own], repository_id=repository,
        sha=[heads[place] for place in own.tolist()], role=head, is_stated=False,
    )  # fmt: skip
