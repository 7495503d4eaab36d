"""The history of a deployment: create, list and get statuses."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.github_style import addresses, representations
from deployments.api.github_style.base import READ, WRITE, GithubStyleView, store
from deployments.api.github_style.deployments import one_deployment
from deployments.api.github_style.fields import Fields
from deployments.api.github_style.pages import one_page
from deployments.catalog import Catalog
from deployments.creation import NewStatus, add_status
from deployments.models import Deployment, DeploymentStatus
from deployments.models.deployments import REPORTABLE_STATES
from deployments.tasks import ring_bell

_STATES = sorted(str(state) for state in REPORTABLE_STATES)
_LONGEST_DESCRIPTION = 140
_LONGEST_NAME = 255


def _read(body: dict[str, Any], creator: str) -> NewStatus:
    """Return what a body says. Raises Refusal."""
    fields = Fields(body, "DeploymentStatus")
    state = fields.choice("state", _STATES)
    target_url, log_url = fields.address("target_url"), fields.address("log_url")
    new = NewStatus(
        state=state,
        description=fields.text("description", at_most=_LONGEST_DESCRIPTION),
        environment=fields.text("environment", at_most=_LONGEST_NAME).strip(),
        environment_url=fields.address("environment_url"),
        log_url=log_url or target_url,
        creator=creator,
        makes_others_inactive=fields.flag("auto_inactive", True),
    )
    fields.check()
    return new


class Statuses(GithubStyleView):
    """POST adds a status to a deployment, GET lists them, the newest first."""

    required_scopes = {"GET": READ, "POST": WRITE}
    documentation = {
        "GET": "deployments/statuses#list-deployment-statuses",
        "POST": "deployments/statuses#create-a-deployment-status",
    }

    def get(self, request: Request, owner: str, repo: str, id: int) -> Response:
        deployment = one_deployment(self.repository(owner, repo), id)
        page, _, headers = one_page(request, deployment.statuses.order_by("-created_at", "-id"))
        for row in page:
            row.deployment = deployment
        return Response([representations.status(request, row) for row in page], headers=headers)

    def post(self, request: Request, owner: str, repo: str, id: int) -> Response:
        repository = self.repository(owner, repo)
        deployment = one_deployment(repository, id)
        new = _read(self.json_object(), representations.login_of(self.api_key))
        try:
            status = store(lambda: add_status(Catalog(self.workspace), deployment, new, now=timezone.now()))
        except Deployment.DoesNotExist as error:
            raise Http404 from error
        ring_bell()
        location = addresses.status(request, status)
        return Response(representations.status(request, status), status=201, headers={"Location": location})


class OneStatus(GithubStyleView):
    """GET shows a status."""

    required_scopes = {"GET": READ}
    documentation = {"GET": "deployments/statuses#get-a-deployment-status"}

    def get(self, request: Request, owner: str, repo: str, id: int, status_id: int) -> Response:
        deployment = one_deployment(self.repository(owner, repo), id)
        row = DeploymentStatus.objects.filter(deployment=deployment, pk=min(status_id, 2**63 - 1)).first()
        if row is None:
            raise Http404
        row.deployment = deployment
        return Response(representations.status(request, row))
