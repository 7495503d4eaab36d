"""Deployments: create, list, get and delete."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.github_style import addresses, representations
from deployments.api.github_style.base import READ, WRITE, GithubStyleView, store
from deployments.api.github_style.errors import Refusal, validation_failed
from deployments.api.github_style.fields import Fields
from deployments.api.github_style.pages import one_page
from deployments.catalog import Catalog
from deployments.creation import NewDeployment, StillActive, create_deployment, delete_deployment
from deployments.github.payloads import own_fields, stated_payload, version_of
from deployments.models import Deployment, DeploymentStatus, Repository
from deployments.names import name_key, normalise_sha
from deployments.refs import find_commit, find_former_commit, full_sha
from deployments.tasks import ring_bell

_DEFAULT_ENVIRONMENT = "production"
_LONGEST_NAME = 255
# What GitHub's own description of its API prints for “any”.
_ANY = ("", "none")
_ACTIVE = "We cannot delete an active deployment unless it is the only deployment in a given environment."


def deployments_of(repository: Repository) -> QuerySet[Deployment]:
    """Return the deployments of a repository, with all that is shown of them."""
    newest = DeploymentStatus.objects.filter(deployment=OuterRef("pk")).order_by("-created_at")
    return (
        Deployment.objects.live()
        .filter(application__repository=repository)
        .select_related("application__repository", "environment")
        .annotate(last_status_at=Subquery(newest.values("created_at")[:1]))
    )


def one_deployment(repository: Repository, id: int) -> Deployment:
    """Return a deployment of a repository. Raises Http404."""
    row = deployments_of(repository).filter(pk=id).first() if id < 2**63 else None
    if row is None:
        raise Http404
    return row


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a body asks for."""

    ref: str
    sha: str  # of clients that know it better; GitHub ignores it
    task: str
    payload: Any
    environment: str
    description: str
    is_transient: bool
    is_production: bool


def _read(body: dict[str, Any]) -> _Asked:
    """Return what a body asks for. Raises Refusal."""
    fields = Fields(body, "Deployment")
    ref = fields.required_text("ref")
    task = fields.text("task", representations.DEFAULT_TASK, at_most=_LONGEST_NAME)
    # Slipway merges nothing and knows no commit statuses: both are taken, and make no difference.
    fields.flag("auto_merge", True)
    fields.texts("required_contexts")
    fields.object_or_text("payload")
    environment = fields.text("environment", at_most=_LONGEST_NAME).strip() or _DEFAULT_ENVIRONMENT
    description = fields.text("description")
    is_transient = fields.flag("transient_environment", False)
    is_production = fields.flag("production_environment", environment == _DEFAULT_ENVIRONMENT)
    fields.check()
    sha = body.get("sha")
    return _Asked(
        ref=ref,
        sha=full_sha(sha) if isinstance(sha, str) else "",
        task=task or representations.DEFAULT_TASK,
        payload=stated_payload(body) or None,
        environment=environment,
        description=description,
        is_transient=is_transient,
        is_production=is_production,
    )


def _commit_of(known: Repository | None, asked: _Asked) -> str:
    """Return the commit that is to be deployed. Raises Refusal where nobody told what the ref stands for."""
    sha = find_commit(known, asked.ref) if known else full_sha(asked.ref)
    sha = sha or asked.sha or (find_former_commit(known, asked.ref) if known else "")
    if not sha:
        raise Refusal(422, f"No ref found for: {asked.ref}")
    if len(asked.ref) > _LONGEST_NAME:
        message = f"ref is too long (maximum is {_LONGEST_NAME} characters)"
        raise validation_failed({"resource": "Deployment", "code": "custom", "field": "ref", "message": message})
    return sha


class Deployments(GithubStyleView):
    """POST creates a deployment, GET lists them."""

    required_scopes = {"GET": READ, "POST": WRITE}
    documentation = {
        "GET": "deployments/deployments#list-deployments",
        "POST": "deployments/deployments#create-a-deployment",
    }

    def get(self, request: Request, owner: str, repo: str) -> Response:
        repository = self.repository(owner, repo)
        rows = _filtered(deployments_of(repository), request).order_by("-created_at", "-id")
        page, _, headers = one_page(request, rows)
        return Response([representations.deployment(request, row) for row in page], headers=headers)

    def post(self, request: Request, owner: str, repo: str) -> Response:
        known = self.known_repository(owner, repo)
        full_name = f"{owner}/{repo}"
        if known is None and ("/" in repo or len(full_name) > _LONGEST_NAME or not full_name.isprintable()):
            raise Http404
        asked = _read(self.json_object())
        sha = _commit_of(known, asked)
        created = store(lambda: self._create(full_name, asked, sha))
        ring_bell()
        row = one_deployment(created.application.repository, created.pk)
        location = addresses.deployment(request, row)
        return Response(representations.deployment(request, row), status=201, headers={"Location": location})

    def _create(self, full_name: str, asked: _Asked, sha: str) -> Deployment:
        catalog = Catalog(self.workspace)
        told = {"payload": asked.payload, "ref": asked.ref, "sha": sha}
        own = own_fields(told)
        new = NewDeployment(
            environment=asked.environment,
            version=version_of(told),
            commit_sha=sha,
            ref=asked.ref,
            task=asked.task,
            description=asked.description,
            payload=asked.payload,
            app=own.get("app", ""),
            author=own.get("author", ""),
            creator=representations.login_of(self.api_key),
            monorepo_path=own.get("monorepoPath"),
            is_transient=asked.is_transient,
            is_production=asked.is_production,
        )
        return create_deployment(catalog, catalog.repository(full_name), new, now=timezone.now())


def _filtered(rows: QuerySet[Deployment], request: Request) -> QuerySet[Deployment]:
    """Narrow a list down to what fits all parameters exactly."""
    wanted = {name: request.query_params.get(name, "").replace("\x00", "\ufffd") for name in _FILTERS}
    for name, text in wanted.items():
        if text not in _ANY:
            rows = rows.filter(_FILTERS[name](text))
    return rows


# What was not created here has no ref and task of its own: see representations.deployment.
_FILTERS = {
    "sha": lambda text: Q(commit_sha=normalise_sha(text)),
    "ref": lambda text: Q(ref=text) | Q(ref="", commit_sha=normalise_sha(text)),
    "task": lambda text: Q(task=text) | (Q(task="") if text == representations.DEFAULT_TASK else Q()),
    "environment": lambda text: Q(environment__name_key=name_key(text)),
}


class OneDeployment(GithubStyleView):
    """GET shows a deployment, DELETE takes one back that is not active."""

    required_scopes = {"GET": READ, "DELETE": WRITE}
    documentation = {
        "GET": "deployments/deployments#get-a-deployment",
        "DELETE": "deployments/deployments#delete-a-deployment",
    }

    def get(self, request: Request, owner: str, repo: str, id: int) -> Response:
        row = one_deployment(self.repository(owner, repo), id)
        return Response(representations.deployment(request, row))

    def delete(self, request: Request, owner: str, repo: str, id: int) -> Response:
        row = one_deployment(self.repository(owner, repo), id)
        try:
            store(lambda: delete_deployment(row))
        except StillActive as error:
            raise validation_failed(_ACTIVE) from error
        except Deployment.DoesNotExist as error:
            raise Http404 from error
        ring_bell()
        return Response(status=204)
