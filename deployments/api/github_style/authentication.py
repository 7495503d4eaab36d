"""Who asks: an API key, in every way in which clients of GitHub send a token."""

import base64
import binascii

from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from deployments.api.authentication import ApiKeyAuthentication
from deployments.models import ApiKey, User


class TokenAuthentication(ApiKeyAuthentication):
    """`Bearer KEY`, `token KEY`, or Basic with the key as password or as user name. Without any, nobody asks."""

    def authenticate(self, request: Request) -> tuple[User | None, ApiKey] | None:  # type: ignore[override]
        if not get_authorization_header(request).strip():
            return None
        return super().authenticate(request)

    def text_of_key(self, request: Request) -> str:
        """Return the key as the request gives it. Raises AuthenticationFailed."""
        scheme, _, credentials = get_authorization_header(request).strip().partition(b" ")
        if scheme.lower() != b"basic":
            return super().text_of_key(request)
        try:
            name, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise AuthenticationFailed("The credentials cannot be read.") from error
        return password if password.startswith("slipway_") else name
