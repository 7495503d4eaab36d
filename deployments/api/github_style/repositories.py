"""What clients ask for around deployments: a repository, its environments, and events for its webhooks."""

import json

from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.github_style import representations
from deployments.api.github_style.base import NEWEST_VERSION, READ, WRITE, GithubStyleView, api_version, store
from deployments.api.github_style.errors import Refusal, invalid_request
from deployments.api.github_style.fields import Fields
from deployments.api.github_style.pages import one_page
from deployments.catalog import environments_of
from deployments.creation import delete_environment
from deployments.models import Environment, Scope
from deployments.models import Repository as RepositoryRow
from deployments.names import name_key
from deployments.signals import repository_dispatched
from deployments.tasks import ring_bell

_LONGEST_EVENT_TYPE = 100
_MOST_PROPERTIES = 10
_LARGEST_PAYLOAD = 64 * 1024  # bytes, which it must stay below


class Repository(GithubStyleView):
    """GET shows a repository."""

    required_scopes = {"GET": [*READ, *WRITE]}
    documentation = {"GET": "repos/repos#get-a-repository"}

    def get(self, request: Request, owner: str, repo: str) -> Response:
        row = self.repository(owner, repo)
        may_write = self.api_key.has_scope(Scope.DEPLOYMENTS_WRITE)
        shown = representations.repository(request, row, may_write=may_write)
        if api_version(request) == NEWEST_VERSION:
            del shown["has_downloads"]
        return Response(shown)


class Environments(GithubStyleView):
    """GET lists the environments of a repository."""

    required_scopes = {"GET": READ}
    documentation = {"GET": "deployments/environments#list-environments"}

    def get(self, request: Request, owner: str, repo: str) -> Response:
        repository = self.repository(owner, repo)
        page, total, headers = one_page(request, environments_of(repository))
        shown = [representations.environment(request, repository, row) for row in page]
        return Response({"total_count": total, "environments": shown}, headers=headers)


class OneEnvironment(GithubStyleView):
    """GET shows an environment, DELETE takes it off the repository's list."""

    required_scopes = {"GET": READ, "DELETE": WRITE}
    documentation = {
        "GET": "deployments/environments#get-an-environment",
        "DELETE": "deployments/environments#delete-an-environment",
    }

    def get(self, request: Request, owner: str, repo: str, name: str) -> Response:
        repository = self.repository(owner, repo)
        return Response(representations.environment(request, repository, _environment(repository, name)))

    def delete(self, request: Request, owner: str, repo: str, name: str) -> Response:
        repository = self.repository(owner, repo)
        environment = _environment(repository, name)
        store(lambda: delete_environment(repository, environment, timezone.now()))
        return Response(status=204)


def _environment(repository: RepositoryRow, name: str) -> Environment:
    rows = environments_of(repository).filter(name_key=name_key(name.replace("\x00", "\ufffd")))
    row = rows.first()
    if row is None:
        raise Http404
    return row


class Dispatches(GithubStyleView):
    """POST has a `repository_dispatch` event sent to those who listen."""

    required_scopes = {"POST": WRITE}
    documentation = {"POST": "repos/repos#create-a-repository-dispatch-event"}

    def post(self, request: Request, owner: str, repo: str) -> Response:
        repository = self.repository(owner, repo)
        fields = Fields(self.json_object())
        event_type, payload = fields.required_text("event_type"), fields.object("client_payload")
        fields.check()
        if not 1 <= len(event_type) <= _LONGEST_EVENT_TYPE:
            raise invalid_request(_wrong_length(event_type))
        if len(payload) > _MOST_PROPERTIES:
            raise invalid_request(
                f"No more than {_MOST_PROPERTIES} properties are allowed; {len(payload)} were supplied."
            )
        if len(json.dumps(payload, ensure_ascii=False).encode()) >= _LARGEST_PAYLOAD:
            raise Refusal(422, "client_payload is too large.")
        login = representations.login_of(self.api_key)
        store(
            lambda: repository_dispatched.send(
                sender=None, repository=repository, event_type=event_type, client_payload=payload, login=login
            )
        )
        ring_bell()
        return Response(status=204)


def _wrong_length(event_type: str) -> str:
    if not event_type:
        return "Invalid property /event_type: 1 character required; only 0 were supplied."
    most, supplied = _LONGEST_EVENT_TYPE, len(event_type)
    return f"Invalid property /event_type: only {most} characters are allowed; {supplied} were supplied."
