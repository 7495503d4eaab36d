"""Asks for the facts of an incident, with times as clocks show them in the workspace's time zone."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from rest_framework.serializers import ValidationError as Refused

from deployments.incidents import DECIDED_BY_ISSUE, Facts
from deployments.models import Application, Environment, Incident, Workspace
from deployments.reports import DateTime


class LocalTime(forms.Field):
    """A moment, written as the clocks of `zone` show it; an hour that comes twice is taken for the first."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})
    zone = ZoneInfo("UTC")

    def prepare_value(self, value: Any) -> Any:
        """Return a moment as the browser's field has it; what was typed stays."""
        if not isinstance(value, datetime.datetime):
            return value
        return value.astimezone(self.zone).replace(tzinfo=None, microsecond=0).isoformat()

    def to_python(self, value: Any) -> datetime.datetime | None:
        if value in self.empty_values:
            return None
        try:
            local = datetime.datetime.fromisoformat(str(value).strip()).replace(tzinfo=self.zone)
            moment = local.astimezone(datetime.UTC)
        except (ValueError, OverflowError) as error:
            raise forms.ValidationError("Must be a date and a time, such as 2026-03-01T12:00.") from error
        if moment.astimezone(self.zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            raise forms.ValidationError(f"There is no such time in {self.zone}: the clocks were put forward.")
        return _plausible(moment)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare what is written: seconds are shown, and which of two equal hours it is cannot be."""
        shown = str(self.prepare_value(initial) or "")
        return str(data or "").strip() not in (shown, shown.removesuffix(":00"))


def _plausible(moment: datetime.datetime) -> datetime.datetime:
    try:
        checked: datetime.datetime = DateTime().run_validation(moment.isoformat())
    except Refused as error:
        raise forms.ValidationError([str(detail) for detail in list(error.detail)]) from error
    return checked


class IncidentForm(forms.Form):
    """Asks for what is known of an incident; of one that is a GitHub issue, only for where it was."""

    title = forms.CharField(max_length=500)
    application = forms.ModelChoiceField(queryset=Application.objects.none(), required=False, empty_label="Not said")
    environment = forms.ModelChoiceField(
        queryset=Environment.objects.none(), required=False, empty_label="Production"
    )
    started_at = LocalTime(label="Began")
    resolved_at = LocalTime(label="Resolved", required=False, help_text="Left empty, it is still open.")
    url = forms.CharField(
        label="Address",
        max_length=2000,
        required=False,
        help_text="Where more is written.",
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )

    def __init__(self, *args: Any, workspace: Workspace, incident: Incident | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["application"].queryset = Application.objects.filter(workspace=workspace).select_related("repository")
        fields["application"].label_from_instance = lambda row: f"{row.name} ({row.repository.full_name})"
        fields["environment"].queryset = Environment.objects.filter(workspace=workspace)
        for name in ("started_at", "resolved_at"):
            fields[name].zone = workspace.zone
            fields[name].help_text = f"{fields[name].help_text} In {workspace.time_zone} time.".strip()
        if incident is not None and incident.is_issue:
            for name in DECIDED_BY_ISSUE:
                del fields[name]

    def clean_url(self) -> str:
        text = str(self.cleaned_data["url"])
        if text and not text.lower().startswith(("http://", "https://")):
            raise forms.ValidationError("Must begin with http:// or https://.")
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for name in ("started_at", "resolved_at"):
            if name in data and name not in self.changed_data:
                data[name] = self.initial.get(name)  # to the microsecond
        began, ended = data.get("started_at"), data.get("resolved_at")
        if began and ended and ended < began:
            self.add_error("resolved_at", "Must not lie before it began.")
        return data

    def facts(self) -> Facts:
        """Return what the valid form says."""
        said: Any = dict(self.cleaned_data)
        return said  # type: ignore[no-any-return]


def known_facts(incident: Incident) -> dict[str, Any]:
    """Return with what the form of an incident begins."""
    names = ("title", "application", "environment", "started_at", "resolved_at", "url")
    return {name: getattr(incident, name) for name in names}
