"""The forms of the pages."""

import datetime
import re
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django import forms
from django.utils import timezone

from deployments.catalog import Catalog
from deployments.github.client import GithubClient, TokenAuth
from deployments.models import Application, DeploymentTrigger, Environment, GithubConnection, Scope
from deployments.models.workspaces import CHOSEN_SCOPES, all_scopes
from deployments.names import name_key, normalise_monorepo_path

_REPOSITORY_PATTERN = re.compile(r"[\w.*?-]+/[\w.*?-]+|\*")
_SITE = re.compile(r"https?://(www\.)?github\.com(/|$)", re.IGNORECASE)


class ApplicationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Application
        fields = ["monorepo_path", "monorepo_path_is_pinned", "incident_window_hours"]
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

    def save(self, commit: bool = True) -> Any:
        """Keep what a person chose from what deployments say of the environment."""
        if "is_production" in self.changed_data:
            self.instance.is_production_is_pinned = True
        return super().save(commit)


class ApiKeyForm(forms.Form):
    """Asks for what a new API key is for, what it may do, and until when."""

    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"placeholder": "GitHub Actions"}))
    scopes = forms.MultipleChoiceField(choices=Scope.choices, initial=all_scopes, widget=forms.CheckboxSelectMultiple)
    expires_on = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The first day on which it no longer works. Left empty, it works until it is revoked.",
    )

    def __init__(self, *args: Any, is_owner: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_owner:
            scopes: Any = self.fields["scopes"]
            scopes.choices = [choice for choice in Scope.choices if choice[0] not in CHOSEN_SCOPES]

    def clean_expires_on(self) -> datetime.date | None:
        day: datetime.date | None = self.cleaned_data["expires_on"]
        if day is not None and day <= timezone.now().date():
            raise forms.ValidationError("Choose a day to come.")
        return day


class TriggerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for what counts as a deployment of an application."""

    new_environment = forms.CharField(
        max_length=255, required=False, help_text="The name of one that there is not yet."
    )

    class Meta:
        model = DeploymentTrigger
        fields = ["kind", "pattern", "branch", "includes_prereleases", "environment"]
        widgets = {"branch": forms.TextInput(attrs={"placeholder": "main"})}

    def __init__(self, *args: Any, application: Application, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.application = application
        environment: Any = self.fields["environment"]
        environment.queryset = Environment.objects.filter(workspace=application.workspace_id)
        environment.required = False
        environment.empty_label = "A new one"
        kind: Any = self.fields["kind"]
        kind.choices = DeploymentTrigger.Kind.choices
        # For which kinds a field is there: the style sheet hides it for others.
        self.fields["branch"].kinds = DeploymentTrigger.Kind.WORKFLOW.value  # type: ignore[attr-defined]
        self.fields["includes_prereleases"].kinds = DeploymentTrigger.Kind.RELEASE.value  # type: ignore[attr-defined]
        self.fields["new_environment"].kinds = "new"  # type: ignore[attr-defined]

    def clean_pattern(self) -> str:
        return _without_ref_prefix(self.cleaned_data["pattern"])

    def clean_branch(self) -> str:
        return _without_ref_prefix(self.cleaned_data["branch"])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        kind = data.get("kind")
        if data.get("branch") and kind != DeploymentTrigger.Kind.WORKFLOW:
            self.add_error("branch", "Only of workflow runs can the branch be chosen. Leave it empty.")
        if data.get("includes_prereleases") and kind != DeploymentTrigger.Kind.RELEASE:
            self.add_error("includes_prereleases", "Only releases can be pre-releases. Leave it unticked.")
        self._choose_environment(data)
        return data

    def _choose_environment(self, data: dict[str, Any]) -> None:
        environment, name = data.get("environment"), data.get("new_environment")
        if "environment" in self.errors or "new_environment" in self.errors:
            return
        if environment and name:
            self.add_error("new_environment", "Either choose an environment or name a new one, not both.")
        elif not environment and not name:
            self.add_error("environment", "Choose an environment, or name a new one.")
        elif not environment:
            known = Environment.objects.filter(workspace=self.instance.application.workspace_id)
            data["environment"] = known.filter(name_key=name_key(name or "")).first()

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors and self._is_known():
            self.add_error(None, "There is such a trigger already.")

    def _is_known(self) -> bool:
        data = self.cleaned_data
        rows = self.instance.application.triggers.filter(kind=data["kind"], pattern=data["pattern"])
        return bool(data["environment"] and rows.filter(environment=data["environment"]).exists())

    def save(self, commit: bool = True) -> Any:
        """Store the trigger, and the environment where it is a new one."""
        if self.cleaned_data["environment"] is None:
            catalog = Catalog(self.instance.application.workspace)
            self.instance.environment = catalog.environment(self.cleaned_data["new_environment"])
        return super().save(commit)


def _without_ref_prefix(name: str) -> str:
    """Return a branch or tag by the name that people call it by."""
    return re.sub(r"^refs/(heads|tags)/", "", name.strip())


class _SecretTextarea(forms.Textarea):
    """A large field that is never filled in, as fields of passwords are not."""

    def format_value(self, value: Any) -> str | None:
        return None


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for a token or a GitHub App. What is secret is never filled in; left empty, it changes nothing."""

    token = forms.CharField(
        required=False,
        max_length=1000,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    private_key = forms.CharField(
        required=False,
        max_length=20_000,
        widget=_SecretTextarea(
            attrs={"rows": 6, "placeholder": "-----BEGIN RSA PRIVATE KEY-----", "spellcheck": "false"}
        ),
    )

    class Meta:
        model = GithubConnection
        # The secrets are not among them: Django would write what is stored into the page.
        fields = ["kind", "base_url", "repositories", "app_id", "installation_id"]
        widgets = {"repositories": forms.Textarea(attrs={"rows": 3})}

    field_order = ["kind", "token", "app_id", "installation_id", "private_key", "repositories", "base_url"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        self._was = (self.instance.kind, self.instance.base_url) if self.instance.pk else None
        if self._was:
            fields["token"].help_text = "Left empty, the present one stays. It is not shown."
            fields["private_key"].help_text = "Left empty, the present one stays. It is not shown."
        else:
            fields["private_key"].help_text = "The file that GitHub gave for the App, with all its lines."
        fields["installation_id"].help_text = "Left empty, it is looked up for each repository."
        fields["token"].kinds = GithubConnection.Kind.TOKEN.value
        for name in ("app_id", "installation_id", "private_key"):
            fields[name].kinds = GithubConnection.Kind.APP.value

    def clean_base_url(self) -> str:
        address = str(self.cleaned_data["base_url"]).strip().rstrip("/")
        if _SITE.match(address):
            raise forms.ValidationError("That is GitHub's site. Its API is at https://api.github.com.")
        try:
            GithubClient(address, TokenAuth("")).close()
        except ValueError as error:
            raise forms.ValidationError(
                "Must be an http(s) address without a password, such as https://api.github.com or"
                " https://HOST/api/v3."
            ) from error
        if re.search(r"[\s?#]", address):
            raise forms.ValidationError("Must be an address without spaces, “?” and “#”.")
        return address

    def clean_repositories(self) -> str:
        patterns = list(dict.fromkeys(self.cleaned_data["repositories"].replace(",", " ").split()))
        for pattern in patterns:
            if not _REPOSITORY_PATTERN.fullmatch(pattern):
                raise forms.ValidationError(f"“{pattern}” is none: write owner/name, owner/*, or * for all.")
        return "\n".join(patterns)

    def clean_token(self) -> str:
        token = str(self.cleaned_data["token"])
        if not re.fullmatch(r"[!-~]*", token):
            raise forms.ValidationError("There is a space, a line break or a letter in it that no token has.")
        return token

    def clean_app_id(self) -> str:
        app_id = str(self.cleaned_data["app_id"]).strip()
        if not re.fullmatch(r"[A-Za-z0-9.]*", app_id):
            raise forms.ValidationError("Must be the App ID, a number, or the Client ID, letters and digits.")
        return app_id

    def clean_installation_id(self) -> int | None:
        number: int | None = self.cleaned_data["installation_id"]
        if number is not None and number <= 0:
            raise forms.ValidationError("Must be the number at the end of the installation's address.")
        return number

    def clean_private_key(self) -> str:
        text = str(self.cleaned_data["private_key"]).replace("\r\n", "\n")
        if not text:
            return ""
        try:
            key = load_pem_private_key(text.encode(), password=None)
        except TypeError as error:
            raise forms.ValidationError("The key is protected by a password. Give it without one.") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise forms.ValidationError(
                "No private key in PEM format: it begins with “-----BEGIN RSA PRIVATE KEY-----” and ends with its"
                " END line."
            ) from error
        if not isinstance(key, RSAPrivateKey):
            raise forms.ValidationError("GitHub Apps have RSA keys, and this is a key of another kind.")
        return text + "\n"

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        is_app = data.get("kind") == GithubConnection.Kind.APP
        for name in ("token",) if is_app else ("app_id", "installation_id", "private_key"):
            if data.get(name):
                self.add_error(name, f"A {'GitHub App' if is_app else 'token'} has none. Leave it empty.")
        if is_app and not data.get("app_id") and "app_id" not in self.errors:
            self.add_error("app_id", "A GitHub App needs its ID.")
        secret = "private_key" if is_app else "token"
        if not data.get(secret) and secret not in self.errors:
            self._ask_for(secret, data)
        return data

    def _ask_for(self, secret: str, data: dict[str, Any]) -> None:
        """Ask for a secret that is not given and cannot stay as it is."""
        if self._was is None or self._was[0] != data.get("kind"):
            self.add_error(secret, "Enter it: without it nothing can be asked.")
        elif "base_url" in data and self._was[1] != data["base_url"]:
            # Otherwise whoever may change the address could have the secret sent to a host of theirs.
            self.add_error(secret, "Enter it again: the present one is not sent to another address.")

    def save(self, commit: bool = True) -> Any:
        """Store the connection. The secret of another kind goes; the error of before says nothing any more."""
        row, data = self.instance, self.cleaned_data
        changed = [*self.Meta.fields, "error"]
        row.error = ""
        for name, kind in (("token", GithubConnection.Kind.TOKEN), ("private_key", GithubConnection.Kind.APP)):
            if data[name] or data["kind"] != kind:
                setattr(row, name, data[name])
                changed.append(name)
        if row.pk:
            row.save(update_fields=changed)
        else:
            row.save()
        return row
