"""Finds the commit that a branch, a tag or a shortened hash stands for, as far as anybody told of it."""

import re

from django.db.models import Q

from deployments.models import Commit, Deployment, GitRef, PullRequest, Release, Repository, Track
from deployments.names import normalise_sha
from deployments.triggers import commit_of_release

_BRANCH, _TAG = "refs/heads/", "refs/tags/"
_FULL_SHA = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
# Git itself takes no fewer characters for a hash (core.abbrev).
_SHORT_SHA = re.compile("[0-9a-f]{4,63}")
_PULL_REQUEST = re.compile(r"(?:refs/)?pull/([0-9]{1,9})/(head|merge)")


def full_sha(text: str) -> str:
    """Return a whole commit hash as Git writes it, or nothing where the text is none."""
    found = normalise_sha(text)
    return found if _FULL_SHA.fullmatch(found) else ""


def find_commit(repository: Repository, ref: str) -> str:
    """Return the hash of the commit that a ref stands for, or nothing where nobody told.

    A branch or tag, with or without `refs/heads/`, `heads/`, `refs/tags/`, `tags/` before it, in Git's own order
    (gitrevisions); a hash, or the beginning of one.
    """
    ref = ref.strip()
    if not ref:
        return ""
    return (
        full_sha(ref)
        or _of_ref(repository, ref)
        or _of_default_branch(repository, ref)
        or _of_release(repository, ref)
        or _of_imported_tag(repository, ref)
        or _of_pull_request(repository, ref)
        or _of_short_sha(repository, ref)
    )


def find_former_commit(repository: Repository, ref: str) -> str:
    """Return where a branch or tag stood that is deleted, or nothing."""
    return _of_ref(repository, ref.strip(), is_deleted=True)


def _names(ref: str) -> list[str]:
    """Return the full names that a ref may stand for, the first one first."""
    return [ref] if ref.startswith("refs/") else [f"refs/{ref}", f"{_TAG}{ref}", f"{_BRANCH}{ref}"]


def _of_ref(repository: Repository, ref: str, *, is_deleted: bool = False) -> str:
    names = _names(ref)
    rows = GitRef.objects.filter(repository=repository, name__in=names, is_deleted=is_deleted).exclude(sha="")
    found = dict(rows.values_list("name", "sha"))
    return next((found[name] for name in names if name in found), "")


def _of_default_branch(repository: Repository, ref: str) -> str:
    branch = repository.default_branch
    names_it = ref == "HEAD" or (branch and f"{_BRANCH}{branch}" in _names(ref))
    return repository.default_branch_sha if names_it else ""


def _tags(ref: str) -> list[str]:
    """Return the names of the tags that a ref may stand for."""
    return [name.removeprefix(_TAG) for name in _names(ref) if name.startswith(_TAG)]


def _of_release(repository: Repository, ref: str) -> str:
    releases = Release.objects.filter(repository=repository, tag_name__in=_tags(ref))
    for release in releases.order_by("-published_at"):
        if sha := commit_of_release(release):
            return sha
    return ""


def _of_imported_tag(repository: Repository, ref: str) -> str:
    """Return where a tag of an imported clone stands: each is a deployment, with the tag's name as its version."""
    git = Deployment.Source.GIT
    rows = Deployment.objects.filter(track__in=Track.objects.of_repository(repository), version__in=_tags(ref))
    rows = rows.filter(Q(source=git) | Q(origins__source=git)).order_by("-deployed_at", "-id")
    return rows.values_list("commit_sha", flat=True).first() or ""


def _of_pull_request(repository: Repository, ref: str) -> str:
    rows = PullRequest.objects.filter(repository=repository).exclude(head_sha="")
    if numbered := _PULL_REQUEST.fullmatch(ref):
        rows = rows.filter(number=int(numbered[1]))
    else:
        branches = [name.removeprefix(_BRANCH) for name in _names(ref) if name.startswith(_BRANCH)]
        rows = rows.filter(head_ref__in=branches, head_is_elsewhere=False)
    return rows.order_by("-facts_at").values_list("head_sha", flat=True).first() or ""


def _of_short_sha(repository: Repository, ref: str) -> str:
    """Return the only commit whose hash begins so; of several nobody knows which is meant."""
    beginning = normalise_sha(ref)
    if not _SHORT_SHA.fullmatch(beginning):
        return ""
    # A range, since an index finds those in every collation.
    rows = Commit.objects.filter(Q(sha__gte=beginning) & Q(sha__lt=f"{beginning}g"), repository=repository)
    found = list(rows.values_list("sha", flat=True)[:2])
    return found[0] if len(found) == 1 else ""
