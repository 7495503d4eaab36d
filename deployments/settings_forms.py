"""The forms of the settings of a workspace: how it counts, its teams, its calendar."""

import re
from typing import Any

from django import forms
from django.db import transaction

from deployments.models import Application, Environment, FreezePeriod, Team, TeamMember, Workspace
from deployments.names import name_key

_MOST_LABELS = 50
_MOST_LABEL_LENGTH = 100
_MOST_BOTS = 200
_MOST_PEOPLE = 500
_MOST_NAME_LENGTH = 255
_MOST_FREEZE_DAYS = 366
_WEEKDAYS = [
    (1, "Monday"), (2, "Tuesday"), (3, "Wednesday"), (4, "Thursday"), (5, "Friday"), (6, "Saturday"), (7, "Sunday"),
]  # fmt: skip


class NamesField(forms.CharField):
    """Names, with commas or line breaks between them, or only line breaks. Each is kept once, whatever its case."""

    def __init__(
        self,
        *,
        most: int,
        longest: int,
        what: str,
        too_long: str = "",
        only_lines: bool = False,
        rows: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            required=False, strip=False, widget=forms.Textarea(attrs={"rows": rows, "spellcheck": "false"}), **kwargs
        )
        self.most, self.longest, self.what, self.only_lines = most, longest, what, only_lines
        self.too_long = too_long or f"{longest} characters"

    def prepare_value(self, value: Any) -> Any:
        between = "\n" if self.only_lines else ", "
        return between.join(str(name) for name in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):  # what an initial value is compared with
            return value
        names: dict[str, str] = {}
        for name in re.split(r"\n" if self.only_lines else r"[,\n]", super().to_python(value) or ""):
            if name.strip():
                names.setdefault(name_key(name), name.strip())
        return list(names.values())

    def validate(self, value: Any) -> None:
        super().validate(value)
        if len(value) > self.most:
            raise forms.ValidationError(f"No more than {self.most} {self.what}.")
        for name in value:
            if len(name) > self.longest:
                raise forms.ValidationError(f"“{name[:30]}…” is longer than {self.too_long}.")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != initial)


class WorkspaceForm(forms.ModelForm):  # type: ignore[type-arg]
    incident_labels = NamesField(
        most=_MOST_LABELS,
        longest=_MOST_LABEL_LENGTH,
        what="labels",
        too_long="any label of GitHub's",
        help_text="A GitHub issue with one of these labels is an incident. Put commas between them.",
    )
    bot_names = NamesField(
        label="Bots",
        most=_MOST_BOTS,
        longest=_MOST_NAME_LENGTH,
        what="names",
        help_text="Authors that are bots, besides those whose names end with [bot]. Put commas between them.",
    )

    class Meta:
        model = Workspace
        fields = [
            "name",
            "time_zone",
            "report_year",
            "default_application",
            "default_environment",
            "include_merge_commits",
            "count_redeploys",
            "leave_out_bots",
            "bot_names",
            "incident_labels",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["default_application"].queryset = Application.objects.filter(workspace=self.instance)
        fields["default_environment"].queryset = Environment.objects.filter(workspace=self.instance)
        for name in ("default_application", "default_environment"):
            fields[name].empty_label = "None"
        fields["time_zone"].widget.attrs["placeholder"] = "Europe/Berlin"
        fields["report_year"].required = False

    def clean_report_year(self) -> int:
        """Leave it as it is where none is sent."""
        return int(self.cleaned_data["report_year"] or self.instance.report_year)


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for a team's name, its applications, and its people."""

    people = NamesField(
        most=_MOST_PEOPLE,
        longest=_MOST_NAME_LENGTH,
        what="people",
        only_lines=True,
        rows=8,
        help_text="By the names under which deployments, commits and pull requests know them, one a line. Somebody"
        " who is known by several names has several lines.",
    )

    class Meta:
        model = Team
        fields = ["name", "applications"]
        widgets = {
            "applications": forms.CheckboxSelectMultiple,
            "name": forms.TextInput(attrs={"placeholder": "Checkout"}),
        }

    field_order = ["name", "applications", "people"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        applications = Application.objects.filter(workspace=self.instance.workspace_id).select_related("repository")
        fields["applications"].queryset = applications
        fields["applications"].label_from_instance = lambda one: f"{one.name} ({one.repository.full_name})"
        if self.instance.pk:
            fields["people"].initial = list(self.instance.people.values_list("name", flat=True))

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        others = Team.objects.filter(workspace=self.instance.workspace_id, name_key=name_key(name))
        if others.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(f"There is a team “{name}” already.")
        return name

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        """Store the team with its applications and people."""
        team = super().save(commit)
        wanted = {name_key(name): name for name in self.cleaned_data["people"]}
        team.people.exclude(name_key__in=wanted).delete()
        known = set(team.people.values_list("name_key", flat=True))
        for key in wanted.keys() - known:
            TeamMember.objects.create(team=team, name=wanted[key])
        return team


class WorkingDaysForm(forms.Form):
    """Asks for the days of the week on which work is done."""

    working_days = forms.TypedMultipleChoiceField(
        choices=_WEEKDAYS,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "At least one day has to be a working day."},
        help_text="Rates per day are per working day. Deployments on other days count all the same.",
    )


class FreezePeriodForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for days on which nothing is meant to be deployed."""

    class Meta:
        model = FreezePeriod
        fields = ["first_day", "last_day", "reason"]
        widgets = {
            "first_day": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "last_day": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "reason": forms.TextInput(attrs={"placeholder": "Christmas"}),
        }

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        first, last = data.get("first_day"), data.get("last_day")
        for name, day in (("first_day", first), ("last_day", last)):
            if day is not None and not 1970 < day.year < 2200:
                self.add_error(name, "Must lie between 1971 and 2199.")
        if first and last and first > last:
            self.add_error("last_day", "Must not lie before the first day.")
        elif first and last and (last - first).days >= _MOST_FREEZE_DAYS:
            self.add_error("last_day", f"A period has at most {_MOST_FREEZE_DAYS} days.")
        return data
