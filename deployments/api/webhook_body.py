"""What the body of a request may say of a webhook, checked."""

from typing import Any

from rest_framework import serializers

from deployments.models import WebhookEvent, WebhookSubscription
from deployments.outgoing import NotDelivered
from deployments.reports import Text
from deployments.webhooks import subscriptions

_FACTS = {"url": "url", "events": "events", "active": "is_active"}


class _Url(Text):
    """An address that may be sent to."""

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        try:
            subscriptions.check_url(url)
        except NotDelivered as error:
            raise serializers.ValidationError(str(error), code="invalid") from error
        return url


class _Flag(serializers.Field[Any, Any, Any, Any]):
    """True or false, and nothing that could be taken for it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("Must be true or false.", code="invalid")
        return data


class _Events(serializers.Field[Any, Any, Any, Any]):
    """What a webhook is told of, each once, in one order."""

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list) or not data or not all(isinstance(name, str) for name in data):
            raise serializers.ValidationError("Must be a list of events, at least one.", code="not_a_list")
        wanted = set(WebhookEvent.values) if "*" in data else set(data)
        if unknown := sorted(set(data) - {*WebhookEvent.values, "*"}):
            names = ", ".join(WebhookEvent.values)
            raise serializers.ValidationError(
                f"There is no event “{unknown[0][:40]}”; there are {names}, and * for all.", code="invalid_choice"
            )
        return [name for name in WebhookEvent.values if name in wanted]


class WebhookBodySerializer(serializers.Serializer[WebhookSubscription]):
    """The body of a request. Unknown fields are ignored, so that what GET answered can be sent back."""

    url = _Url(max_length=2000)
    events = _Events()
    secret = Text(max_length=255, required=False, allow_null=True)
    active = _Flag(required=False)
    paused = _Flag(required=False)


def read_webhook(body: Any, webhook: WebhookSubscription | None = None) -> tuple[dict[str, Any], str, bool | None]:
    """Return the facts of a body, the secret or nothing, and whether it is to be paused, where that is said.

    Raises ValidationError that names every field at fault.
    """
    if not isinstance(body, dict):
        raise serializers.ValidationError({"body": ["Must be a JSON object."]}, code="invalid")
    serializer = WebhookBodySerializer(webhook, data=body, partial=webhook is not None)
    serializer.is_valid(raise_exception=True)
    said = dict(serializer.validated_data)
    facts = {_FACTS[name]: value for name, value in said.items() if name in _FACTS}
    return facts, said.get("secret") or "", said.get("paused")
