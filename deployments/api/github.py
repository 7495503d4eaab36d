"""The payload URL to give GitHub: authenticates a delivery by its signature and stores it as a job."""

import logging
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments import jobs
from deployments.api import representations
from deployments.api.body import parse_json, read_body
from deployments.api.hal import CONTENT_TYPE
from deployments.encryption import Undecipherable
from deployments.github.signatures import NotSigned, verify
from deployments.jobs import NewJob
from deployments.models import DeploymentSecret, JobType, Workspace
from deployments.tasks import ring_bell

logger = logging.getLogger(__name__)

_FORM = "application/x-www-form-urlencoded"
# Every byte of a payload can take three in a form.
_MOST_FORM_BYTES = 3 * settings.SLIPWAY_MAX_WEBHOOK_BODY_BYTES + 1024
# Tried where a workspace has no secret, or where there is no such workspace: both take the same time.
_NO_SECRET = "no delivery is signed with this, whatever it says"  # noqa: S105
_MOST_NAME_LENGTH = 255


class _NotSigned(APIException):
    """Answers 401: no API key is asked for here, so it is none of the errors of authentication classes."""

    status_code = 401
    default_code = "not_signed"
    auth_header = 'Signature realm="slipway", header="X-Hub-Signature-256"'


class GithubWebhook(APIView):
    """POST takes a delivery of GitHub: authenticated by its signature, stored, answered; processed afterwards."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request, workspace_id: UUID) -> Response:
        is_form = request.META.get("CONTENT_TYPE", "").lower().startswith(_FORM)
        body = read_body(request, _MOST_FORM_BYTES if is_form else settings.SLIPWAY_MAX_WEBHOOK_BODY_BYTES)
        workspace = _authenticate(request, workspace_id, body)
        payload = _payload(body, is_form)
        new = NewJob(
            payload=payload,
            type=JobType.GITHUB_WEBHOOK,
            payload_bytes=len(body),
            origin_key=_origin_key(request),
            event=_event(request, payload),
            repository_name=_repository_name(payload),
        )
        job = jobs.accept(workspace, None, new)
        ring_bell()
        return Response(representations.hal_job(request, job), status=202, content_type=CONTENT_TYPE)


def _authenticate(request: Request, workspace_id: UUID, body: bytes) -> Workspace:
    """Return the workspace with whose secret the body was signed. Raises Http404 and _NotSigned."""
    rows = list(
        DeploymentSecret.objects.usable(timezone.now()).filter(workspace_id=workspace_id).defer("secret")[:10]
    )
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    readable = {row.pk: text for row in rows if (text := _read(row)) is not None}
    secrets = list(readable.values()) or [_NO_SECRET]
    try:
        used = verify(
            body,
            secrets,
            sha256=request.META.get("HTTP_X_HUB_SIGNATURE_256", ""),
            sha1=request.META.get("HTTP_X_HUB_SIGNATURE", ""),
        )
    except NotSigned as error:
        if workspace is None:
            raise Http404 from error
        request._request.refusing_workspace = workspace  # type: ignore[attr-defined] # its people may see the refusal
        raise _NotSigned(str(error)) from error
    if workspace is None or not readable:
        raise Http404
    _note_use(next(row for row in rows if readable.get(row.pk) == used))
    return workspace


def _read(row: DeploymentSecret) -> str | None:
    """Return the text of a secret, or None where SECRET_KEY was changed since and the former one is not known."""
    try:
        return str(row.secret)
    except Undecipherable as error:
        logger.error("deployment secret %s: %s", row.pk, error)
        return None


def _note_use(secret: DeploymentSecret) -> None:
    """Note that a secret is in use, once a minute: so that it shows when the former one may go."""
    now = timezone.now()
    if secret.last_used_at is None or (now - secret.last_used_at).total_seconds() > 60:
        DeploymentSecret.objects.filter(pk=secret.pk, last_used_at=secret.last_used_at).update(last_used_at=now)


def _payload(body: bytes, is_form: bool) -> dict[str, Any]:
    """Return what was delivered. Raises ParseError."""
    if is_form and not body.lstrip().startswith(b"{"):  # curl sends JSON under a form's name
        body = _form_payload(body)
    payload = parse_json(body) if body.strip() else {}
    if not isinstance(payload, dict):
        raise ParseError("The payload must be a JSON object.")
    try:
        storable: dict[str, Any] = jobs.storable(payload)
    except RecursionError as error:
        raise ParseError("The payload is nested too deeply.") from error
    return storable


def _form_payload(body: bytes) -> bytes:
    try:
        values = parse_qs(body.decode("utf-8"), max_num_fields=20).get("payload", [])
    except ValueError as error:
        raise ParseError(f"The form cannot be read: {error}") from error
    if body.strip() and not values:
        raise ParseError("The form has no field “payload”.")
    return values[0].encode() if values else b""


def _origin_key(request: Request) -> str | None:
    """Return what a redelivery has in common with its first delivery."""
    delivery = _header(request, "HTTP_X_GITHUB_DELIVERY")
    return f"github:{delivery}" if delivery else None


def _event(request: Request, payload: dict[str, Any]) -> str:
    event, action = _header(request, "HTTP_X_GITHUB_EVENT"), payload.get("action")
    return f"{event}.{action}"[:100] if isinstance(action, str) and action else event[:100]


def _header(request: Request, name: str) -> str:
    return str(jobs.storable(request.META.get(name, "").strip()))[:200]


def _repository_name(payload: dict[str, Any]) -> str:
    repository = payload.get("repository")
    name = repository.get("full_name") if isinstance(repository, dict) else None
    return name[:_MOST_NAME_LENGTH] if isinstance(name, str) else ""
