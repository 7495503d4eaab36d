"""What the document says of outgoing webhooks."""

from typing import Any

from drf_spectacular.utils import extend_schema

from deployments.api.openapi.answers import page_of
from deployments.api.openapi.json_schema import (
    boolean,
    choice,
    component,
    integer,
    list_of,
    moment,
    nullable,
    number,
    record,
    text,
)
from deployments.api.openapi.parts import CURSOR, LIMIT, NOTHING, WEBHOOKS, answer, answer_header, json, sent
from deployments.api.openapi.problems import CONFLICT
from deployments.api.webhook_body import WebhookBodySerializer
from deployments.models import DeliveryState, WebhookEvent

_WEBHOOK = {
    "id": integer(),
    "url": text(examples=["https://hooks.example.com/slipway"]),
    "events": list_of(choice(WebhookEvent)),
    "active": boolean("Of one that is not, nothing is kept."),
    "paused": boolean("While it is, what happens is kept, and sent when it goes on."),
    "pausedAt": nullable(moment()),
    "pauseReason": nullable(text()),
    "failingSince": nullable(moment("Since when every delivery has failed.")),
    "createdAt": moment(),
    "updatedAt": moment(),
}
_DELIVERY = {
    "id": integer(),
    "guid": text("The same for all subscribers, and for a redelivery.", format="uuid"),
    "event": text(examples=["deployment_status"]),
    "action": nullable(text()),
    "state": choice(DeliveryState),
    "statusCode": nullable(integer("What the receiver answered.")),
    "error": nullable(text()),
    "attempts": integer(minimum=0),
    "durationSeconds": nullable(number()),
    "createdAt": moment(),
    "attemptedAt": nullable(moment()),
    "nextAttemptAt": nullable(moment()),
    "redeliveryOf": nullable(integer()),
}
_SECRET = text("The secret that deliveries are signed with. It is told here, and nowhere else.")
_HEADERS = {"type": "object", "additionalProperties": text()}
_SHOWN = component("Webhook", record(_WEBHOOK, "A webhook."))
_NEW = component("NewWebhook", record({**_WEBHOOK, "secret": _SECRET}, "A webhook that was added."))
_LISTED_DELIVERY = component("Delivery", record(_DELIVERY, "A delivery, as lists show it."))
_IN_FULL = component(
    "DeliveryInFull",
    record(
        {
            **_DELIVERY,
            "request": record({"headers": _HEADERS, "payload": text("As it is sent and signed.")}),
            "response": nullable(record({"headers": _HEADERS, "body": text()})),
        },
        "A delivery with the request and the answer of the latest attempt.",
    ),
)
_EXAMPLE = {"url": "https://hooks.example.com/slipway", "events": ["deployment", "deployment_status"]}

_SUBSCRIPTIONS: dict[str, dict[str, Any]] = {
    "v1-webhooks": {
        "get": extend_schema(
            operation_id="listWebhooks",
            tags=[WEBHOOKS],
            summary="The webhooks",
            responses={200: answer(component("Webhooks", page_of(_SHOWN)), "All of them.")},
        ),
        "post": extend_schema(
            operation_id="addWebhook",
            tags=[WEBHOOKS],
            summary="Add a webhook",
            description="A `ping` is delivered to it. Without a `secret` one is made. `*` stands for all events.",
            parameters=[answer_header("Location", text(format="uri"), "The address of the webhook.", 201)],
            request=json(WebhookBodySerializer, sent("A webhook", _EXAMPLE)),
            responses={201: answer(_NEW, "The webhook, with its secret."), **CONFLICT},
        ),
    },
    "v1-webhook": {
        "get": extend_schema(
            operation_id="getWebhook",
            tags=[WEBHOOKS],
            summary="A webhook",
            responses={200: answer(_SHOWN, "The webhook.")},
        ),
        "patch": extend_schema(
            operation_id="changeWebhook",
            tags=[WEBHOOKS],
            summary="Change, pause or resume a webhook",
            description="Changes the fields that the body has. What `GET` answered can be sent back.",
            request=json(WebhookBodySerializer, sent("Resumed", {"paused": False})),
            responses={200: answer(_SHOWN, "The webhook.")},
        ),
        "delete": extend_schema(
            operation_id="removeWebhook",
            tags=[WEBHOOKS],
            summary="Remove a webhook with its deliveries",
            responses={204: NOTHING},
        ),
    },
    "v1-webhook-ping": {
        "post": extend_schema(
            operation_id="pingWebhook",
            tags=[WEBHOOKS],
            summary="Deliver a ping",
            request=None,
            responses={202: answer(_LISTED_DELIVERY, "The delivery, which is sent afterwards.")},
        ),
    },
}
_DELIVERIES: dict[str, dict[str, Any]] = {
    "v1-webhook-deliveries": {
        "get": extend_schema(
            operation_id="listDeliveries",
            tags=[WEBHOOKS],
            summary="What was delivered, the latest first",
            parameters=[LIMIT, CURSOR],
            responses={200: answer(component("Deliveries", page_of(_LISTED_DELIVERY)), "A page.")},
        ),
    },
    "v1-webhook-delivery": {
        "get": extend_schema(
            operation_id="getDelivery",
            tags=[WEBHOOKS],
            summary="A delivery with the request and the answer",
            responses={200: answer(_IN_FULL, "The delivery.")},
        ),
    },
    "v1-webhook-redelivery": {
        "post": extend_schema(
            operation_id="redeliver",
            tags=[WEBHOOKS],
            summary="Deliver the same once more",
            request=None,
            responses={202: answer(_LISTED_DELIVERY, "The new delivery, which is sent afterwards.")},
        ),
    },
}
OPERATIONS = {**_SUBSCRIPTIONS, **_DELIVERIES}
