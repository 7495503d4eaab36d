"""The forms of the pages."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone

from deployments.models import Application, Environment, Scope, Workspace
from deployments.names import normalise_monorepo_path


class ApplicationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Application
        fields = ["monorepo_path", "monorepo_path_is_pinned"]
        widgets = {"monorepo_path": forms.TextInput(attrs={"placeholder": "services/api"})}

    def clean_monorepo_path(self) -> str:
        try:
            return normalise_monorepo_path(self.cleaned_data["monorepo_path"])
        except ValueError as error:
            raise forms.ValidationError(f"The path {error}.") from error


class EnvironmentForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Environment
        fields = ["is_production"]


class WorkspaceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Workspace
        fields = [
            "name",
            "time_zone",
            "default_application",
            "default_environment",
            "include_merge_commits",
            "count_redeploys",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = self.instance
        self.fields["default_application"].queryset = Application.objects.filter(workspace=mine)  # type: ignore[attr-defined]
        self.fields["default_environment"].queryset = Environment.objects.filter(workspace=mine)  # type: ignore[attr-defined]
        for name in ("default_application", "default_environment"):
            self.fields[name].empty_label = "None"  # type: ignore[attr-defined]
        self.fields["time_zone"].widget.attrs["placeholder"] = "Europe/Berlin"


class ApiKeyForm(forms.Form):
    """Asks for what a new API key is for, what it may do, and until when."""

    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"placeholder": "GitHub Actions"}))
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, initial=list(Scope.values), widget=forms.CheckboxSelectMultiple
    )
    expires_on = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The first day on which it no longer works. Left empty, it works until it is revoked.",
    )

    def clean_expires_on(self) -> datetime.date | None:
        day: datetime.date | None = self.cleaned_data["expires_on"]
        if day is not None and day <= timezone.now().date():
            raise forms.ValidationError("Choose a day to come.")
        return day
