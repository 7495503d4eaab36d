"""The form of an outgoing webhook."""

from typing import Any

from django import forms

from deployments.models import WebhookEvent, WebhookSubscription
from deployments.outgoing import NotDelivered
from deployments.webhooks import subscriptions


class WebhookForm(forms.Form):
    """Asks where to send what. The secret is never filled in."""

    url = forms.CharField(
        label="Payload URL",
        max_length=2000,
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hooks/slipway"}),
    )
    secret = forms.CharField(
        required=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="With it every delivery is signed. Left empty, one is made and shown once.",
    )
    events = forms.MultipleChoiceField(
        choices=WebhookEvent.choices, initial=list(WebhookEvent.values), widget=forms.CheckboxSelectMultiple
    )
    is_active = forms.BooleanField(
        label="Active",
        required=False,
        initial=True,
        help_text="For one that is not, nothing is sent and nothing kept.",
    )

    def __init__(self, *args: Any, webhook: WebhookSubscription | None = None, **kwargs: Any) -> None:
        if webhook is not None:
            kwargs["initial"] = {"url": webhook.url, "events": webhook.events, "is_active": webhook.is_active}
        super().__init__(*args, **kwargs)
        if webhook is not None:
            self.fields["secret"].help_text = "Left empty, the present one stays. It is not shown."

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            subscriptions.check_url(url)
        except NotDelivered as error:
            raise forms.ValidationError(str(error)) from error
        return url

    @property
    def facts(self) -> dict[str, Any]:
        """What the form says, but for the secret."""
        wanted = set(self.cleaned_data["events"])
        return {
            "url": self.cleaned_data["url"],
            "events": [name for name in WebhookEvent.values if name in wanted],
            "is_active": self.cleaned_data["is_active"],
        }
