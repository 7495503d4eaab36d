"""Who asks: API keys, and what they may do."""

import datetime
import hmac
from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from deployments.api.throttling import count_failed_authentication
from deployments.models import ApiKey, User

if TYPE_CHECKING:  # rest_framework.views itself imports this module, through the settings
    from rest_framework.views import APIView

# The last use is noted once in so much time, not with every request.
_LAST_USE_PRECISION = datetime.timedelta(minutes=1)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY`; the scheme in any case, `token` as GitHub's clients do, or none at all."""

    def authenticate(self, request: Request) -> tuple[User | None, ApiKey]:
        try:
            key = self._find(request)
        except (AuthenticationFailed, NotAuthenticated):
            count_failed_authentication(request)
            raise
        _note_use(key)
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401 (RFC 6750)."""
        given = bool(get_authorization_header(request))
        return 'Bearer realm="slipway"' + (', error="invalid_token"' if given else "")

    def text_of_key(self, request: Request) -> str:
        """Return the key as the request gives it. Raises NotAuthenticated and AuthenticationFailed."""
        words = get_authorization_header(request).split()
        if not words:
            raise NotAuthenticated("An API key is needed: Authorization: Bearer KEY.")
        if len(words) == 2 and words[0].lower() in (b"bearer", b"token"):
            words = words[1:]
        if len(words) != 1:
            raise AuthenticationFailed("The Authorization header must read: Bearer KEY.")
        return words[0].decode("ascii", errors="replace")

    def _find(self, request: Request) -> ApiKey:
        text = self.text_of_key(request)
        key = _look_up(text)
        if key is None or not hmac.compare_digest(key.digest, ApiKey.digest_of(text)):
            raise AuthenticationFailed("The API key is not known.")
        if not key.is_usable:
            request._request.refused_key = key  # type: ignore[attr-defined] # its workspace may see the refusal
        if key.revoked_at is not None:
            raise AuthenticationFailed("The API key has been revoked.")
        if not key.is_usable:
            raise AuthenticationFailed("The API key has expired.")
        return key


def key_prefix(text: str) -> str:
    """Return the part of a key that finds its row, or nothing where the text is no key."""
    name, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    return prefix if name == "slipway" and secret and len(prefix) <= 16 else ""


def _look_up(text: str) -> ApiKey | None:
    prefix = key_prefix(text)
    if not prefix or "\x00" in text:
        return None
    return ApiKey.objects.select_related("workspace", "created_by").filter(prefix=prefix).first()


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > _LAST_USE_PRECISION:
        ApiKey.objects.filter(pk=key.pk, last_used_at=key.last_used_at).update(last_used_at=now)


class HasScope(BasePermission):
    """Asks for one of the scopes that the view names for the method in `required_scopes`."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method == "OPTIONS":
            return request.auth is not None
        method = "GET" if request.method == "HEAD" else request.method or ""
        scopes: list[str] = getattr(view, "required_scopes", {}).get(method, [])
        self.message = f"The API key lacks the scope {' or '.join(scopes)}."
        request._request.missing_scopes = scopes  # type: ignore[attr-defined]
        return isinstance(request.auth, ApiKey) and (not scopes or request.auth.has_scope(*scopes))
