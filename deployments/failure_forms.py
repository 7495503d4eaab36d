"""The forms about failures: by which rules they are found, and what a person says against a verdict."""

from typing import Any

from django import forms

from deployments.models import FailureRules, Overruling
from deployments.patterns import LONGEST_PATTERN, MOST_PATTERNS, invalid_reason
from deployments.settings_forms import NamesField

_PATTERN_FIELDS = ("hotfix_branches", "hotfix_labels", "hotfix_titles")


class PatternsField(NamesField):
    """Patterns in RE2, one a line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=MOST_PATTERNS, longest=LONGEST_PATTERN, what="patterns", only_lines=True, **kwargs)

    def validate(self, value: Any) -> None:
        super().validate(value)
        for pattern in value:
            if reason := invalid_reason(pattern):
                raise forms.ValidationError(f"“{pattern}” is no pattern: {reason}.")


class FailureRulesForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks by what a workspace tells that a deployment had to be repaired."""

    hotfix_branches = PatternsField(
        label="Branches of hotfixes",
        help_text="Patterns in RE2, one a line, regardless of case. A pull request from such a branch is a hotfix.",
    )
    hotfix_labels = PatternsField(
        label="Labels of hotfixes", help_text="A pull request with a label that one of these is found in is a hotfix."
    )
    hotfix_titles = PatternsField(
        label="Titles of hotfixes",
        help_text="A pull request with such a title is a hotfix, and so is a commit with such a first line.",
    )

    class Meta:
        model = FailureRules
        fields = [
            "rollbacks", "rollback_blame", "reverts", "hotfixes", "hotfix_branches", "hotfix_labels", "hotfix_titles",
            "failed_statuses", "incidents", "incident_window_hours", "minimum_minutes",
        ]  # fmt: skip

    def changes_in_words(self) -> str:
        """Say what is changed, from what, to what."""
        before = FailureRules.objects.get(pk=self.instance.pk)
        said = [
            f"{self.fields[name].label}: {self._in_words(name, getattr(before, name))}"
            f" → {self._in_words(name, self.cleaned_data[name])}"
            for name in self.changed_data
            if getattr(before, name) != self.cleaned_data[name]
        ]
        return "; ".join(said)

    def _in_words(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if name in _PATTERN_FIELDS:
            return ", ".join(value) or "none"
        return str(value)


class OverruleForm(forms.Form):
    """Asks what a person says of a deployment, and why."""

    says = forms.ChoiceField(
        label="What was it?",
        choices=[
            ("failure yes", "It failed: it had to be repaired"),
            ("failure no", "It did not fail"),
            ("rework yes", "It was rework: unplanned, because of a failure"),
            ("rework no", "It was no rework"),
        ],
    )
    reason = forms.CharField(
        label="Why?",
        max_length=500,
        widget=forms.TextInput(attrs={"placeholder": "The network was down"}),
        error_messages={"required": "Say why: others will ask."},
    )

    @property
    def verdict(self) -> str:
        """What it is about: failure or rework."""
        return str(Overruling.Verdict(self.cleaned_data["says"].split()[0]))

    @property
    def holds(self) -> bool:
        """Whether that holds, as the person says."""
        return bool(self.cleaned_data["says"].endswith("yes"))
