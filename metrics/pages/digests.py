"""Digests: who is sent the week, and when."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from deployments import outgoing
from deployments.encryption import Undecipherable, decrypt
from deployments.models import Workspace
from metrics.digests.messages import digest_of
from metrics.digests.sending import send_now
from metrics.models import Digest

_MOST_DIGESTS = 100
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_AS_NEVER_TRIED = {"attempts": 0, "next_attempt_at": None, "last_error": ""}


class DigestForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks who is sent the week, and when."""

    address = forms.CharField(
        max_length=2000,
        label="Address",
        help_text="An e-mail address, or the https:// address that the chat gave for an incoming webhook.",
    )
    weekday = forms.TypedChoiceField(choices=list(enumerate(_WEEKDAYS, start=1)), coerce=int, initial=1)
    hour = forms.TypedChoiceField(choices=[(hour, f"{hour}:00") for hour in range(24)], coerce=int, initial=8)

    class Meta:
        model = Digest
        fields = ["kind", "team", "weekday", "hour"]

    field_order = ["kind", "address", "team", "weekday", "hour"]

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.workspace = workspace
        self.fields["kind"].choices = Digest.Kind.choices  # type: ignore[attr-defined]
        self.fields["team"].queryset = workspace.teams.all()  # type: ignore[attr-defined]
        self.fields["team"].empty_label = "The whole workspace"  # type: ignore[attr-defined]
        self.fields["hour"].help_text = f"In the workspace's time zone, {workspace.time_zone}."
        if self.instance.pk:
            self.fields["address"].required = False
            self.fields["address"].help_text = "Left empty, it stays as it is."

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        address, kind = found.get("address", ""), found.get("kind")
        if address:
            self._check(address, kind)
        elif self.instance.pk and "kind" in self.changed_data:
            self.add_error("address", "Enter the address: it is of another kind now.")
        return found

    def _check(self, address: str, kind: str | None) -> None:
        try:
            if kind == Digest.Kind.EMAIL:
                validate_email(address)
            elif not address.startswith("https://"):
                self.add_error("address", "The address of a webhook begins with https://.")
            else:
                outgoing.check(address)
        except ValidationError:
            self.add_error("address", "Enter an e-mail address.")
        except outgoing.NotDelivered as error:
            self.add_error("address", str(error))

    def save(self, commit: bool = True) -> Any:
        """Store it; what failed before is tried anew. Without an address the one that there is stays."""
        digest = self.instance
        for name, value in _AS_NEVER_TRIED.items():
            setattr(digest, name, value)
        if self.cleaned_data["address"]:
            digest.address = self.cleaned_data["address"]
        # A deferred address is not written.
        return super().save(commit)


@never_cache
def digest_list(request: HttpRequest) -> HttpResponse:
    """List the digests, and add one."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    form = DigestForm(
        request.POST or None,
        workspace=workspace,
        instance=Digest(created_by=request.user),  # type: ignore[misc]
    )
    if request.method == "POST" and form.is_valid():
        if workspace.digests.count() < _MOST_DIGESTS:
            form.save()
            messages.success(request, "Added.")
            return redirect("metrics:digests")
        form.add_error(None, f"There are {_MOST_DIGESTS} digests already; remove one first.")
    rows = _digests(workspace).select_related("team").annotate(stored=Cast("address", TextField()))
    context = {
        "form": form,
        "rows": [(row, _shown(row.kind, row.stored), _WEEKDAYS[row.weekday - 1]) for row in rows],
        "has_mail": bool(settings.EMAIL_URL),
        "has_base_url": bool(settings.BASE_URL),
    }
    return render(request, "metrics/digests.html", context)


def _digests(workspace: Workspace) -> Any:
    # The address is decrypted where it is read, and may have been encrypted with a key that is not known any more.
    return Digest.objects.filter(workspace=workspace).defer("address")


def _shown(kind: str, stored: str) -> str:
    """Return as much of an address as anybody may see: whoever knows a webhook's can write into the chat."""
    try:
        address = decrypt(stored)
    except Undecipherable:
        return "cannot be read any more: enter it anew"
    return address if kind == Digest.Kind.EMAIL else f"{urlsplit(address).hostname}/…"


def _digest(request: HttpRequest, pk: int) -> Digest:
    digest: Digest = get_object_or_404(
        _digests(request.workspace).select_related("workspace", "team"),  # type: ignore[attr-defined]
        pk=pk,
    )
    return digest


@never_cache
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a digest, and change it."""
    digest = _digest(request, pk)
    form = DigestForm(request.POST or None, workspace=digest.workspace, instance=digest)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("metrics:digests")
    return render(request, "metrics/digest.html", {"form": form, "digest": digest})


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a digest no more, for the time being."""
    Digest.objects.filter(pk=_digest(request, pk).pk).update(is_paused=True, **_AS_NEVER_TRIED)
    messages.success(request, "It is paused.")
    return redirect("metrics:digests")


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a digest again."""
    Digest.objects.filter(pk=_digest(request, pk).pk).update(is_paused=False, **_AS_NEVER_TRIED)
    messages.success(request, "It is sent again.")
    return redirect("metrics:digests")


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a digest."""
    _digest(request, pk).delete()
    messages.success(request, "It is removed.")
    return redirect("metrics:digests")


@require_POST
def send(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the last week at once, besides what is sent every week."""
    error = send_now(_digest(request, pk))
    if error:
        messages.error(request, f"It could not be sent. {error}")
    else:
        messages.success(request, "The last week is sent.")
    return redirect("metrics:digests")


@csrf_exempt  # a mail program sends the POST (RFC 8058); the signed link is what allows it
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether the owner of an address wants no more digests, and remove theirs."""
    digest = digest_of(token)
    if digest is None:
        return render(request, "metrics/unsubscribe.html", {"state": "gone"}, status=404)
    if request.method == "POST":
        digest.delete()
        return render(request, "metrics/unsubscribe.html", {"state": "done"})
    return render(request, "metrics/unsubscribe.html", {"state": "asking", "digest": digest})
