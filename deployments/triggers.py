"""What happens at GitHub and is a deployment of an application, because its triggers say so."""

import datetime
import fnmatch
import posixpath
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from deployments.catalog import Catalog
from deployments.lineage import touches_path
from deployments.models import (
    Application,
    Commit,
    Deployment,
    DeploymentTrigger,
    PullRequest,
    Push,
    Release,
    Repository,
)
from deployments.names import name_key
from deployments.origin_reports import OriginReport
from deployments.origins import record_origin

Kind = DeploymentTrigger.Kind
Source = Deployment.Source
_BRANCH, _TAG = "refs/heads/", "refs/tags/"
_CHUNK = 5_000
# Publishing a release may create its tag, which is then pushed a moment later.
_TAGGED_WITHIN = datetime.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A run of a workflow that succeeded."""

    external_id: str  # its id and attempt: a run that is repeated deploys once more
    name: str
    path: str
    branch: str
    head_sha: str
    finished_at: datetime.datetime
    author: str
    url: str


def matches(pattern: str, text: str) -> bool:
    """Tell whether a text is what a trigger waits for. `*` stands for any text, `?` for any character."""
    return fnmatch.fnmatchcase(text, pattern)


def _triggers(repository: Repository, kind: str) -> list[DeploymentTrigger]:
    rows = DeploymentTrigger.objects.filter(application__repository=repository, kind=kind)
    return list(rows.select_related("application__repository", "application__workspace", "environment"))


def on_push(catalog: Catalog, repository: Repository, push: Push, author: str) -> list[Deployment]:
    """Record what a push is a deployment of. A deleted ref deploys nothing."""
    if not push.after:
        return []
    if push.ref.startswith(_BRANCH):
        return _on_branch(catalog, repository, push, author)
    if push.ref.startswith(_TAG):
        return [*_on_tag(catalog, repository, push, author), *_on_releases_of(catalog, repository, push.ref)]
    return []


def _on_branch(catalog: Catalog, repository: Repository, push: Push, author: str) -> list[Deployment]:
    branch = push.ref.removeprefix(_BRANCH)
    recorded = []
    for trigger in _triggers(repository, Kind.PUSH):
        if matches(trigger.pattern, branch) and _concerns(trigger.application, push.shas, is_cut=_is_partial(push)):
            report = _report(trigger, Source.PUSH, _move(push), push.after, push.pushed_at, author)
            recorded.append(record_origin(catalog, report))
    return recorded


def _move(push: Push) -> str:
    """Return what tells a move of a ref from all others, the name of the ref last: it may be cut off."""
    return f"{push.after}@{push.pushed_at.isoformat()} {push.ref}"


def _is_partial(push: Push) -> bool:
    """Tell whether a push lists less than what it changes: what it took back, or what a new branch brings along."""
    return push.is_truncated or push.is_forced or not push.before


def _concerns(application: Application, shas: Collection[str], *, is_cut: bool = False) -> bool:
    """Tell whether commits touch the directory that an application is built from; unknown files may."""
    path = application.monorepo_path
    if not path:
        return True
    commits = Commit.objects.filter(repository=application.repository_id, sha__in=list(shas)[:_CHUNK])
    rows = list(commits.values_list("files", "parents"))
    # A merge lists what it took in from elsewhere.
    own = [touched for touched, parents in rows if " " not in (parents or "")]
    files = own or [touched for touched, _ in rows]
    return is_cut or any(touched is None or touches_path(touched.split("\n"), path) for touched in files)


def _on_tag(catalog: Catalog, repository: Repository, push: Push, author: str) -> list[Deployment]:
    tag = push.ref.removeprefix(_TAG)
    return [
        record_origin(
            catalog,
            _report(trigger, Source.TAG, _move(push), push.after, push.pushed_at, author, version=tag),
        )
        for trigger in _triggers(repository, Kind.TAG)
        if matches(trigger.pattern, tag)
    ]


def _on_releases_of(catalog: Catalog, repository: Repository, ref: str) -> list[Deployment]:
    releases = Release.objects.filter(repository=repository, tag_name=ref.removeprefix(_TAG))
    return [deployment for release in releases for deployment in on_release(catalog, repository, release)]


def on_release(catalog: Catalog, repository: Repository, release: Release) -> list[Deployment]:
    """Record what a release is a deployment of, once the commit of its tag is known."""
    triggers = [
        trigger
        for trigger in _triggers(repository, Kind.RELEASE)
        if matches(trigger.pattern, release.tag_name) and (trigger.includes_prereleases or not release.is_prerelease)
    ]
    sha = commit_of_release(release) if triggers else None
    if sha is None:
        return []
    return [
        record_origin(
            catalog,
            _report(
                trigger, Source.RELEASE, str(release.github_id), sha, release.published_at, release.author,
                version=release.tag_name, url=release.url,
            ),
        )
        for trigger in triggers
    ]  # fmt: skip


def commit_of_release(release: Release) -> str | None:
    """Return the commit of a release: where its tag stood then, of which GitHub's event says nothing.

    A tag can be moved afterwards, and that can be told first.
    """
    pushes = Push.objects.filter(repository=release.repository_id, ref=f"{_TAG}{release.tag_name}").exclude(after="")
    then = pushes.filter(pushed_at__lte=release.published_at + _TAGGED_WITHIN).order_by("-pushed_at", "-id").first()
    return then.after if then else release.target_sha or None


def on_workflow_run(catalog: Catalog, repository: Repository, run: WorkflowRun) -> list[Deployment]:
    """Record what a workflow run that succeeded is a deployment of."""
    return [
        record_origin(
            catalog,
            _report(
                trigger, Source.WORKFLOW, run.external_id, run.head_sha, run.finished_at, run.author, url=run.url
            ),
        )
        for trigger in _triggers(repository, Kind.WORKFLOW)
        if any(matches(trigger.pattern, name) for name in (run.name, run.path, posixpath.basename(run.path)))
        and (not trigger.branch or matches(trigger.branch, run.branch))
    ]


def on_merges(catalog: Catalog, pull_request_ids: Iterable[int]) -> list[Deployment]:
    """Record what merged pull requests are deployments of, as soon as it is known what they touch."""
    rows = PullRequest.objects.filter(pk__in=pull_request_ids, merged_at__isnull=False).exclude(merge_commit_sha="")
    return [
        deployment
        for row in rows.select_related("repository").order_by("merged_at", "number")
        for deployment in _on_merge(catalog, row)
    ]


def _on_merge(catalog: Catalog, row: PullRequest) -> list[Deployment]:
    assert row.merged_at is not None, "only merged ones are asked for"
    recorded = []
    for trigger in _triggers(row.repository, Kind.MERGE):
        if matches(trigger.pattern, row.base_ref) and _merge_concerns(trigger.application, row):
            report = _report(
                trigger, Source.MERGE, str(row.number), row.merge_commit_sha, row.merged_at, row.author, url=row.url
            )
            recorded.append(record_origin(catalog, report))
    return recorded


def _merge_concerns(application: Application, row: PullRequest) -> bool:
    if not application.monorepo_path:
        return True
    if not Commit.objects.filter(repository=row.repository_id, sha=row.merge_commit_sha).exists():
        return False  # the push of the merge is still to come, and is asked about then
    return _concerns(application, list(row.commits.values_list("sha", flat=True)))


def of_github_deployment(
    catalog: Catalog, repository: Repository, environment: str, *, app: str, short_name: str
) -> list[tuple[Application, str]]:
    """Return for what GitHub's deployment to an environment is one: applications, with names of environments.

    An application that the deployment names itself comes first, then those with a trigger for the environment, then
    the one that is called like the repository. Where applications have such triggers and none of them waits for this
    environment, the deployment is of nothing that is watched.
    """
    if app:
        return [(catalog.application(repository, app), environment)]
    triggers = _triggers(repository, Kind.GITHUB_DEPLOYMENT)
    if triggers:
        found = [trigger for trigger in triggers if matches(name_key(trigger.pattern), name_key(environment))]
        return [(trigger.application, trigger.environment.name) for trigger in found]
    return [(catalog.default_application(repository, short_name), environment)]


def _report(
    trigger: DeploymentTrigger,
    source: str,
    external_id: str,
    sha: str,
    moment: datetime.datetime,
    author: str,
    *,
    version: str = "",
    url: str = "",
) -> OriginReport:
    return OriginReport(
        source=source,
        external_id=f"{trigger.environment_id}:{external_id}"[:255],
        application=trigger.application,
        environment=trigger.environment.name,
        version=version[:255] or sha[:12],
        commit_sha=sha,
        told_at=moment,
        reached_at=moment,
        author=author,
        log_url=url,
    )
