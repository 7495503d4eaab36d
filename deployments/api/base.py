"""What all views of the HTTP API have in common: who asks, how often, and how much they may send."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.views import APIView

from deployments.api.body import parse_json, read_body
from deployments.api.throttling import count_request
from deployments.models import ApiKey, Workspace


class ApiView(APIView):
    """A view that speaks for the workspace of an API key.

    `required_scopes` names for each method the scopes of which the key needs one.
    """

    required_scopes: dict[str, list[str]] = {}
    max_body_bytes = settings.SLIPWAY_MAX_BODY_BYTES

    def perform_authentication(self, request: Request) -> None:
        """Authenticate, and count before anything else is asked: so that every answer can tell the rate limit."""
        super().perform_authentication(request)
        count_request(request)

    @property
    def api_key(self) -> ApiKey:
        """The key of the request."""
        key = self.request.auth
        assert isinstance(key, ApiKey)
        return key

    @property
    def workspace(self) -> Workspace:
        """The workspace that the key speaks for."""
        return self.api_key.workspace

    def json_body(self) -> Any:
        """Return the body as JSON, whatever the content type says: curl sends a form's by default."""
        return parse_json(read_body(self.request, self.max_body_bytes))
