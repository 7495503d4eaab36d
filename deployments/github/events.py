"""What follows from each of GitHub's events. Handling one again, or in another order, leads to the same records."""

import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rest_framework.exceptions import ValidationError

from deployments import triggers
from deployments.catalog import Catalog
from deployments.github import payloads
from deployments.github.payloads import Payload, Unreadable, part, text
from deployments.incidents import record_issue
from deployments.models import Deployment, Release, Repository
from deployments.origin_reports import OriginReport, StatusReport
from deployments.origins import record_origin
from deployments.pull_requests import record_pull_request, record_review
from deployments.pushes import record_push
from deployments.recording import hold_tracks, record_deployment, record_reported_commits
from deployments.reports import read_report
from deployments.repositories import follow


@dataclass
class Handled:
    """What became of an event."""

    notes: list[str] = field(default_factory=list)  # sentences for the job's log
    deployments: list[Deployment] = field(default_factory=list)
    repository: Repository | None = None

    def record(self, deployments: list[Deployment]) -> None:
        """Note what was recorded."""
        self.deployments += deployments
        self.notes += [
            f"Recorded deployment {row.pk} of {row.application} to {row.environment}" for row in deployments
        ]


@dataclass(frozen=True, slots=True)
class _Event:
    catalog: Catalog
    repository: Repository
    payload: Payload
    action: str
    received_at: datetime.datetime
    handled: Handled


def handle(catalog: Catalog, event: str, payload: Payload, received_at: datetime.datetime) -> Handled:
    """Record what an event tells. The caller holds a transaction.

    `event` is the name of GitHub's header, with or without the action: `push`, `pull_request.opened`. Raises
    Unreadable where it lacks what it is about.
    """
    name = event.partition(".")[0]
    handled = Handled()
    facts = payloads.repository_facts(payload)
    if name == "ping":
        handled.notes.append(f"GitHub says hello: {text(payload, 'zen') or 'the webhook works'}")
    elif name not in _HANDLERS:
        handled.notes.append(f"“{event}” tells nothing of deployments" if name else "The request names no event")
    elif facts is None:
        raise Unreadable("The event names no repository.")
    if facts is None:
        return handled
    handled.repository = repository = follow(catalog, facts)
    if name in _HANDLERS:
        action = text(payload, "action")
        _HANDLERS[name](_Event(catalog, repository, payload, action, received_at, handled))
    if not handled.notes:
        handled.notes.append(f"Noted for {repository}")
    return handled


def _push(event: _Event) -> None:
    report = payloads.push_report(event.payload, event.received_at)
    push = record_push(event.repository, report)
    number = len(report.commits)
    event.handled.notes.append(
        f"Recorded {number} commit{'' if number == 1 else 's'} of {report.ref}"
        if report.after
        else f"{report.ref} was deleted"
    )
    if report.is_truncated:
        event.handled.notes.append(f"GitHub lists no more than {payloads.MOST_COMMITS} commits: some may be missing")
    author = text(part(event.payload, "pusher"), "name")
    event.handled.record(triggers.on_push(event.catalog, event.repository, push, author))


def _ref(event: _Event) -> None:
    kind, name = text(event.payload, "ref_type"), text(event.payload, "ref")
    event.handled.notes.append(f"The {kind} {name} is told of by its push, which names its commit")


def _deployment(event: _Event) -> None:
    deployment = part(event.payload, "deployment")
    github_id, sha = payloads.number(deployment, "id"), payloads.sha(deployment.get("sha"))
    environment = text(deployment, "original_environment") or text(deployment, "environment")
    if github_id is None or not sha or not environment:
        raise Unreadable("The event has no id, sha or environment of a deployment.")
    status = payloads.status_report(part(event.payload, "deployment_status"))
    fields = payloads.own_fields(deployment)
    short_name = text(part(event.payload, "repository"), "full_name").rpartition("/")[2]
    for application, where in triggers.of_github_deployment(
        event.catalog, event.repository, environment, app=fields.get("app", ""), short_name=short_name
    ):
        report = OriginReport(
            source=Deployment.Source.GITHUB,
            external_id=str(github_id) if where == environment else f"{github_id}@{where}",
            application=application,
            environment=where,
            version=payloads.version_of(deployment),
            commit_sha=sha,
            told_at=payloads.required_moment(deployment, "created_at"),
            status=status if where == environment else _staying(status),
            author=text(part(deployment, "creator"), "login"),
            description=text(deployment, "description"),
            ref=text(deployment, "ref"),
            task=text(deployment, "task"),
            monorepo_path=fields.get("monorepoPath"),
            is_transient=deployment.get("transient_environment") is True,
            # A trigger's environment is the choice of a person.
            is_production=deployment.get("production_environment") is True and where == environment,
            payload=payloads.kept_payload(deployment),
            original_environment=environment,
            production_environment=payloads.flag(deployment, "production_environment"),
        )
        event.handled.record([record_origin(event.catalog, report)])
    if not event.handled.deployments:
        event.handled.notes.append(f"No application has a trigger for GitHub's environment “{environment}”")


def _staying(status: StatusReport | None) -> StatusReport | None:
    """Leave the environment of a status out: a trigger has said where the deployment is."""
    return status and dataclasses.replace(status, environment="")


def _pull_request(event: _Event) -> None:
    facts = payloads.pull_request_facts(event.payload)
    record_pull_request(event.repository, facts)
    event.handled.notes.append(f"Pull request #{facts.number}: {event.action or 'noted'}")


def _review(event: _Event) -> None:
    facts = payloads.pull_request_facts({**event.payload, "action": ""})
    row = record_pull_request(event.repository, facts)
    review = payloads.review_facts(part(event.payload, "review"), is_dismissed=event.action == "dismissed")
    if review is not None:
        record_review(row, review)
    event.handled.notes.append(f"Review of pull request #{facts.number}: {event.action or 'noted'}")


def _release(event: _Event) -> None:
    found = part(event.payload, "release")
    github_id, tag = payloads.number(found, "id"), text(found, "tag_name")
    if github_id is None or not tag:
        raise Unreadable("The event has no id or tag of a release.")
    published_at = payloads.moment(found, "published_at")
    if event.action not in ("published", "released", "prereleased", "edited") or published_at is None:
        event.handled.notes.append(f"Release {tag}: {event.action}, nothing is deployed by that")
        return
    if found.get("draft") is True:
        event.handled.notes.append(f"Release {tag} is a draft")
        return
    known = Release.objects.filter(repository=event.repository, github_id=github_id).first()
    release, _ = Release.objects.update_or_create(
        repository=event.repository,
        github_id=github_id,
        defaults={
            "tag_name": tag,
            "name": text(found, "name"),
            # Once it was more than that it has been deployed as such, whatever event arrives later.
            "is_prerelease": found.get("prerelease") is True and (known is None or known.is_prerelease),
            "author": text(part(found, "author"), "login"),
            "url": payloads.web_address(found, "html_url"),
            "published_at": published_at,
            "target_sha": payloads.sha(found.get("target_commitish")),
        },
    )
    recorded = triggers.on_release(event.catalog, event.repository, release)
    event.handled.record(recorded)
    if not recorded and triggers.commit_of_release(release) is None:
        event.handled.notes.append(f"Release {tag}: its commit is told by the push of its tag")
    elif not recorded:
        event.handled.notes.append(f"Release {tag}: no application has a trigger for it")


def _workflow_run(event: _Event) -> None:
    run = part(event.payload, "workflow_run")
    if event.action != "completed" or run.get("conclusion") != "success":
        said = text(run, "conclusion") or text(run, "status") or event.action
        event.handled.notes.append(f"Workflow “{text(run, 'name')}”: {said}")
        return
    if payloads.number(part(run, "head_repository"), "id") not in (None, event.repository.github_id):
        event.handled.notes.append(f"Workflow “{text(run, 'name')}” ran for a fork")
        return
    found = payloads.workflow_run(event.payload)
    event.handled.record(triggers.on_workflow_run(event.catalog, event.repository, found))
    if not event.handled.deployments:
        event.handled.notes.append(f"Workflow “{found.name}” succeeded: no application has a trigger for it")


def _repository(event: _Event) -> None:
    event.handled.notes.append(f"Repository {event.repository}: {event.action}")


_OF_A_DEPLOYMENT = {"environment", "app", "version", "commitHash"}


def _dispatch(event: _Event) -> None:
    body = event.payload.get("client_payload")
    # With one of its fields missing it is still meant to be one, and is told what it lacks.
    if not isinstance(body, dict) or len(_OF_A_DEPLOYMENT & body.keys()) < len(_OF_A_DEPLOYMENT) - 1:
        event.handled.notes.append(f"Dispatch “{event.action}” has not the fields of a deployment")
        return
    try:
        report = read_report({"repositoryFullName": event.repository.full_name, **body})
    except ValidationError as error:
        raise Unreadable(f"The client_payload cannot be taken: {_in_words(error.detail)}") from error
    record_reported_commits(event.catalog, [report])
    hold_tracks(event.catalog, [report])
    recorded = record_deployment(event.catalog, report, reported_at=event.received_at)
    event.handled.deployments.append(recorded.deployment)
    event.handled.notes.append(recorded.outcome)


def _in_words(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {_in_words(inner)}" for name, inner in detail.items())
    return " ".join(str(one) for one in detail) if isinstance(detail, list) else str(detail)


def _issue(event: _Event) -> None:
    facts = payloads.issue_facts(event.payload)
    incident = record_issue(event.repository, facts)
    if incident is None or incident.is_withdrawn:
        event.handled.notes.append(f"Issue “{facts.title}” has no incident label")
    else:
        event.handled.notes.append(f"Incident “{incident.title}”: {event.action}")


_HANDLERS: dict[str, Callable[[_Event], None]] = {
    "push": _push,
    "create": _ref,
    "delete": _ref,
    "deployment": _deployment,
    "deployment_status": _deployment,
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "release": _release,
    "workflow_run": _workflow_run,
    "repository": _repository,
    "repository_dispatch": _dispatch,
    "issues": _issue,
}
# What to tick in GitHub's form, by the names that it has there.
EVENTS = sorted(_HANDLERS)
