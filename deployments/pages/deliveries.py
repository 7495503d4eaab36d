"""What GitHub delivered and what became of it, and what is known of each repository, for the page about GitHub."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Subquery

from deployments.models import (
    Application,
    Deployment,
    Job,
    JobStatus,
    JobType,
    Push,
    RefusedRequest,
    Repository,
    Workspace,
)

PAGE_SIZE = 50
MOST_REPOSITORIES = 200
REFUSED = "refused"
# What the list can be narrowed down to, by the word in the address.
OUTCOMES: dict[str, list[str]] = {
    "complete": [JobStatus.COMPLETE],
    "error": [JobStatus.ERROR],
    "waiting": [JobStatus.QUEUED, JobStatus.RUNNING],
    "stopped": [JobStatus.STOPPED],
    REFUSED: [],
}
_JOB, _REFUSED_REQUEST = "a", "b"  # the order of those of the same moment
# Lines that every log has, whatever the delivery was about.
_FORMALITIES = {"Accepted", "Done", "Queued once more by hand", "Asked to stop"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that arrived at the payload URL: a job, or a request that was refused."""

    key: str
    created_at: datetime.datetime
    outcome: str
    said: str
    event: str = ""
    repository: str = ""
    job: Job | None = None
    lines: list[str] = field(default_factory=list)
    has_wrong_secret: bool = False

    @property
    def name(self) -> str:
        """GitHub's name of the event."""
        return self.event.partition(".")[0]

    @property
    def action(self) -> str:
        """What happened, where the event says so."""
        return self.event.partition(".")[2].replace("_", " ")

    @property
    def has_failed(self) -> bool:
        return self.job is not None and self.job.status == JobStatus.ERROR


@dataclass(frozen=True, slots=True)
class Choice:
    """What the list of deliveries is narrowed down to, and where it goes on."""

    outcome: str = ""
    repository: str = ""
    before: str = ""


def deliveries(workspace: Workspace, payload_path: str, choice: Choice) -> tuple[list[Delivery], str]:
    """Return a page of deliveries, the newest first, and where the next page goes on; empty where it is the last."""
    found = [_of_job(job) for job in _jobs(workspace, choice)[: PAGE_SIZE + 1]]
    found += [_of_refused(row) for row in _refused(workspace, payload_path, choice)[: PAGE_SIZE + 1]]
    found.sort(key=lambda one: one.key)
    found.sort(key=lambda one: one.created_at, reverse=True)
    page = found[:PAGE_SIZE]
    return page, f"{page[-1].created_at.isoformat()}_{page[-1].key}" if len(found) > PAGE_SIZE else ""


def _jobs(workspace: Workspace, choice: Choice) -> QuerySet[Job]:
    rows = Job.objects.filter(workspace=workspace, type=JobType.GITHUB_WEBHOOK)
    if choice.repository:
        rows = rows.filter(repository_name=choice.repository)
    if choice.outcome in OUTCOMES:
        rows = rows.filter(status__in=OUTCOMES[choice.outcome])
    rows = rows.for_lists().select_related("deployment").filter(_after(choice.before, _JOB))
    return rows.order_by("-created_at", "id")


def _refused(workspace: Workspace, payload_path: str, choice: Choice) -> QuerySet[RefusedRequest]:
    """Return what was refused; of which repository it was nobody knows."""
    if choice.repository or choice.outcome not in ("", REFUSED):
        return RefusedRequest.objects.none()
    rows = RefusedRequest.objects.filter(workspace=workspace, path=payload_path)
    return rows.filter(_after(choice.before, _REFUSED_REQUEST)).order_by("-created_at", "id")


def _after(cursor: str, kind: str) -> Q:
    """Return what the rows after the last one of the page before have in common; nothing where the cursor is none."""
    moment, _, key = cursor.partition("_")
    last_kind, _, last_id = key.partition("-")
    try:
        created_at = datetime.datetime.fromisoformat(moment)
        last: UUID | int = UUID(last_id) if last_kind == _JOB else int(last_id)
    except ValueError:
        return Q()
    if (
        created_at.tzinfo is None
        or not 1970 <= created_at.year < 9999
        or (isinstance(last, int) and not 0 < last < 2**63)
    ):
        return Q()
    # The first condition says nothing new, but lets the index find the place.
    after = Q(created_at__lte=created_at)
    if kind == last_kind:
        after &= Q(created_at__lt=created_at) | Q(created_at=created_at, id__gt=last)
    elif kind < last_kind:
        after &= Q(created_at__lt=created_at)
    return after


def _of_job(job: Job) -> Delivery:
    lines = job.log_lines()
    return Delivery(
        key=f"{_JOB}-{job.pk}",
        created_at=job.created_at,
        outcome=job.status.lower(),
        said=said_by(job.error, lines, has_ended=job.has_ended),
        event=job.event,
        repository=job.repository_name,
        job=job,
        lines=lines,
    )


def said_by(error: str, lines: Iterable[str], *, has_ended: bool) -> str:
    """Return what became of a job in one line: why it failed, or else the last line that says something."""
    if error:
        return error
    telling = [text for _, _, text in (line.partition(" ") for line in lines) if text not in _FORMALITIES]
    if telling:
        return telling[-1]
    return "Done" if has_ended else "Waits for a worker"


def _of_refused(row: RefusedRequest) -> Delivery:
    # Ids of a fixed width, so that they are in order as texts too.
    return Delivery(
        key=f"{_REFUSED_REQUEST}-{row.pk:019}",
        created_at=row.created_at,
        outcome=REFUSED,
        said=row.title,
        lines=[f"Answered {row.http_status} to {row.address}: {row.title}"],
        has_wrong_secret=row.http_status == HTTPStatus.UNAUTHORIZED,
    )


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """What is known of a repository, and what to do about what is not."""

    repository: Repository
    last_delivery_at: datetime.datetime | None
    last_push_at: datetime.datetime | None
    first_deployment_at: datetime.datetime | None
    deployments: int
    application_id: int | None
    has_trigger: bool

    @property
    def missing(self) -> list[str]:
        """What has not arrived yet, and what to do so that it does."""
        if self.repository.is_archived:
            return []
        if self.last_delivery_at is None:
            return ["Nothing delivered yet: add the webhook to it or to its organisation."]
        said = [] if self.last_push_at else ["No push yet: tick “Pushes”. Without them no change is known."]
        if not self.deployments:
            said.append(
                "No deployment yet: its trigger has not been met."
                if self.has_trigger
                else "No deployment yet: tick “Deployments” and “Deployment statuses” where GitHub deploys it, or say"
                " what counts as a deployment."
            )
        return said


def repository_states(workspace: Workspace) -> list[RepositoryState]:
    """Return the state of each repository, by name."""
    delivered = Job.objects.filter(
        workspace=workspace, type=JobType.GITHUB_WEBHOOK, repository_name=OuterRef("full_name")
    ).order_by("-created_at")
    pushes = Push.objects.filter(repository=OuterRef("pk")).order_by("-pushed_at")
    applications = Application.objects.filter(repository=OuterRef("pk"))
    rows = list(
        Repository.objects.filter(workspace=workspace)
        .annotate(
            last_delivery_at=Subquery(delivered.values("created_at")[:1]),
            last_push_at=Subquery(pushes.values("pushed_at")[:1]),
            an_application=Subquery(applications.order_by("-is_default", "id").values("pk")[:1]),
            has_trigger=Exists(applications.filter(triggers__isnull=False)),
        )
        .order_by("full_name_key")[:MOST_REPOSITORIES]
    )
    counted = _deployments_of(rows)
    return [
        RepositoryState(
            repository=row,
            last_delivery_at=row.last_delivery_at,
            last_push_at=row.last_push_at,
            first_deployment_at=counted.get(row.pk, (0, None))[1],
            deployments=counted.get(row.pk, (0, None))[0],
            application_id=row.an_application,
            has_trigger=row.has_trigger,
        )
        for row in rows
    ]


def _deployments_of(repositories: Sequence[Repository]) -> dict[int, tuple[int, datetime.datetime | None]]:
    """Return of each repository how many deployments there are, and when the first one was."""
    rows = Deployment.objects.live().filter(application__repository__in=repositories)
    counted = rows.order_by().values("application__repository").annotate(number=Count("pk"), first=Min("deployed_at"))
    return {row["application__repository"]: (row["number"], row["first"]) for row in counted}
