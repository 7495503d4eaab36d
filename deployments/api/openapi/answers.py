"""The shapes of what the API answers. `representations` makes them; the tests hold the two together."""

from deployments.api.openapi.json_schema import (
    Schema,
    boolean,
    choice,
    component,
    integer,
    list_of,
    moment,
    nullable,
    record,
    text,
)
from deployments.models import (
    ChangeKind,
    Deployment,
    DeploymentState,
    FailureFinding,
    Incident,
    JobStatus,
    JobType,
    Overruling,
)

_SECONDS = integer("Seconds.")
_COMMIT = text(examples=["a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2"])
_ADDRESS = text("An address, or empty.")


def page_of(items: Schema) -> Schema:
    """Return the shape of a list that comes in pages."""
    return record({"results": list_of(items), "next": nullable(text("The address of the next page.", format="uri"))})


_DEPLOYMENT = {
    "id": integer(examples=[4711]),
    "app": text(examples=["backend-api"]),
    "environment": text(examples=["production"]),
    "repositoryFullName": text(examples=["acme/backend"]),
    "version": text(examples=["v1.4.2"]),
    "commitHash": _COMMIT,
    "description": text(),
    "author": text(examples=["jane-doe"]),
    "monorepoPath": nullable(text("The directory the application is built from; null where nobody said.")),
    "state": choice(DeploymentState),
    "deployedAt": moment(),
    "changeKind": nullable(choice(ChangeKind, "How it relates to what ran before; null until that is worked out.")),
    "changesCount": integer("How many changes it shipped."),
    "historyComplete": boolean("Whether all of the history that its changes follow from is known."),
    "environmentUrl": _ADDRESS,
    "logUrl": _ADDRESS,
    "sources": list_of(choice(Deployment.Source), "All that it was heard of from."),
    "createdAt": moment(),
    "archivedAt": nullable(moment("Since when it is left out of the metrics.")),
}
DEPLOYMENT = component("Deployment", record(_DEPLOYMENT, "A deployment, as lists show it."))

_PULL_REQUEST = component(
    "PullRequest",
    record(
        {
            "number": integer(),
            "title": text(),
            "url": _ADDRESS,
            "author": text(),
            "mergedAt": nullable(moment()),
        }
    ),
)
_STAGES = component(
    "Stages",
    record(
        {
            "codingSeconds": nullable(_SECONDS),
            "draftSeconds": nullable(_SECONDS),
            "waitingForReviewSeconds": nullable(_SECONDS),
            "reviewSeconds": nullable(_SECONDS),
            "waitingForDeploymentSeconds": nullable(_SECONDS),
        },
        "How long a change spent in each stage; they add up to its lead time.",
    ),
)
_CHANGE = component(
    "Change",
    record(
        {
            "sha": _COMMIT,
            "message": text("The first line of the commit's message."),
            "author": text(),
            "startedAt": nullable(moment("When the work began: its lead time counts from here.")),
            "leadTimeSeconds": nullable(_SECONDS),
            "stages": nullable(_STAGES),
            "pullRequest": nullable(_PULL_REQUEST),
            "clockWasAhead": boolean(
                "It began after it was deployed, by the clocks that tell; its lead time is zero."
            ),
            "filesUnknown": boolean("Whether it touched the application's directory is not known; it counts."),
        },
        "What a deployment shipped: a pull request where one is known, else a commit.",
    ),
)
_STATUS = component(
    "DeploymentStatus",
    record(
        {
            "state": choice(DeploymentState),
            "description": text(),
            "environmentUrl": _ADDRESS,
            "logUrl": _ADDRESS,
            "createdAt": moment(),
        }
    ),
)
_FAILURE = component(
    "Failure",
    record(
        {
            "failed": boolean("Whether it had to be repaired."),
            "repairedAt": nullable(moment()),
            "repairedBy": nullable(integer("The deployment that repaired it.")),
            "rework": boolean("Whether it was unplanned, because of a failure."),
            "findings": list_of(
                record(
                    {
                        "reason": choice(FailureFinding.Reason),
                        "why": text("A sentence for people."),
                        "repairedBy": nullable(integer()),
                        "incident": nullable(integer()),
                    }
                ),
                "What the rules found.",
            ),
            "overruled": list_of(
                record(
                    {
                        "verdict": choice(Overruling.Verdict),
                        "holds": boolean(),
                        "reason": text(),
                        "by": nullable(text("The e-mail address of who said so.")),
                        "at": moment(),
                    }
                ),
                "What people say instead.",
            ),
        },
        "Whether a deployment failed, why, and what people say of it.",
    ),
)
_PREVIOUS = record({"id": integer(), "version": text(), "commitHash": _COMMIT, "deployedAt": moment()})
DEPLOYMENT_IN_FULL = component(
    "DeploymentInFull",
    record(
        {
            **_DEPLOYMENT,
            "changes": list_of(_CHANGE),
            "previous": nullable({**_PREVIOUS, "description": "What ran there before."}),
            "statuses": list_of(_STATUS),
            "failure": _FAILURE,
            "unknownCommits": list_of(_COMMIT, "Commits of its history that nobody has told of."),
        },
        "A deployment with what it shipped and what became of it.",
    ),
)

ENVIRONMENTS = component(
    "Environments",
    record(
        {
            "results": list_of(
                record(
                    {
                        "id": integer(),
                        "name": text(examples=["production"]),
                        "production": boolean(),
                        "running": list_of(
                            record(
                                {
                                    "app": text(),
                                    "repository": text(),
                                    "deployment": integer(),
                                    "version": text(),
                                    "commitHash": _COMMIT,
                                    "deployedAt": moment(),
                                    "author": text(),
                                    "waitingChanges": nullable(
                                        integer(
                                            "Changes in the default branch that are not deployed here; null: unknown."
                                        )
                                    ),
                                    "waitingSince": nullable(moment("Since when the oldest of them waits.")),
                                }
                            )
                        ),
                    }
                )
            )
        }
    ),
)
TEAMS = component(
    "Teams",
    record(
        {
            "results": list_of(
                record(
                    {
                        "name": text(),
                        "applications": list_of(record({"app": text(), "repository": text()})),
                        "people": list_of(text()),
                    }
                )
            )
        }
    ),
)

_CAUSE = record(
    {
        "id": integer(),
        "app": text(),
        "environment": text(),
        "version": text(),
        "commitHash": _COMMIT,
        "deployedAt": moment(),
    }
)
INCIDENT = component(
    "Incident",
    record(
        {
            "id": integer(),
            "title": text(examples=["Checkout is down"]),
            "app": nullable(text()),
            "repository": nullable(text()),
            "environment": nullable(text()),
            "state": choice(["open", "resolved"]),
            "startedAt": moment(),
            "resolvedAt": nullable(moment()),
            "durationSeconds": nullable(integer("Null while it is open.")),
            "causeDeployment": nullable(integer("The id of the deployment that caused it.")),
            "causeIsPinned": boolean("Somebody said what caused it, rather than the rules."),
            "cause": nullable(_CAUSE),
            "url": _ADDRESS,
            "source": choice(Incident.Source),
            "externalId": nullable(text()),
            "isWithdrawn": boolean(),
            "createdAt": moment(),
        }
    ),
)

_LINK = record({"href": text(format="uri"), "type": text("The method to use.")}, optional=["type"])
_LINKS = component(
    "JobLinks",
    record(dict.fromkeys(("self", "delete job", "logs", "withdraw job"), _LINK), "What can be done with a job."),
)
_JOB_ID = text(format="uuid")
RECEIPT = component(
    "Receipt",
    record({"status": {"const": 202}, "id": _JOB_ID, "_links": _LINKS}, "What answers an accepted report: its job."),
)
HAL_JOB = component(
    "Job",
    record(
        {
            "id": _JOB_ID,
            "created": moment(),
            "type": choice(JobType),
            "maxAttempts": integer(),
            "attempt": integer(),
            "status": choice(JobStatus),
            "startTime": nullable(moment()),
            "endTime": nullable(moment()),
            "error": nullable(text("Why it failed, for people.")),
            "deployment": nullable(integer("The deployment that it recorded.")),
            "_embedded": record(
                {"profile": record({"id": text(), "name": text(), "handle": text(), "email": text()})},
                "For whom the job runs.",
            ),
            "_links": _LINKS,
        },
        "A job, with HAL links.",
    ),
)
_LISTED_JOB = component(
    "ListedJob",
    record(
        {
            "id": _JOB_ID,
            "createdAt": moment(),
            "type": choice(JobType),
            "status": choice(JobStatus),
            "attempt": integer(),
            "maxAttempts": integer(),
            "error": nullable(text()),
            "deployment": nullable(integer()),
            "_links": _LINKS,
        }
    ),
)
ERRORS = list_of(
    record({"field": text("Such as `commits[3].sha`."), "message": text(), "code": text()}), "One for each fault."
)
_REFUSED = component(
    "RefusedRequest",
    record(
        {
            "id": {"type": "null"},
            "createdAt": moment(),
            "type": {"const": "REQUEST"},
            "status": {"const": "REFUSED"},
            "httpStatus": integer(),
            "request": text("Its method and path."),
            "keyPrefix": text(),
            "error": text(),
            "errors": ERRORS,
        },
        "A request that never became a job.",
    ),
)
JOBS = component("Jobs", page_of({"oneOf": [_LISTED_JOB, _REFUSED]}))
