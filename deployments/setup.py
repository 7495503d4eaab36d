"""The first things of an installation: a workspace, its owner, an API key."""

import secrets
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from deployments.models import ApiKey, Membership, User, Workspace


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the first start made, to be shown once. `password` is None where the operator chose it."""

    email: str
    password: str | None
    api_key: str


def create_workspace(name: str, slug: str, email: str, password: str, *, operator: bool = False) -> Workspace:
    """Create a workspace; its owner too, where nobody of this address is known. An operator may use the admin."""
    with transaction.atomic():
        workspace = Workspace.objects.create(name=name, slug=slug)
        owner = User.objects.filter(email__iexact=email).first()
        if owner is None:
            make = User.objects.create_superuser if operator else User.objects.create_user
            owner = make(email, password)
        Membership.objects.create(user=owner, workspace=workspace, role=Membership.Role.OWNER)
    return workspace


def set_up_on_first_start(email: str, password: str | None) -> FirstStart | None:
    """Create the first workspace, its owner and a key; do nothing where there is a workspace already."""
    if Workspace.objects.exists():
        return None
    chosen = password or secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            workspace = create_workspace("My organisation", "main", email, chosen, operator=True)
            _, text = ApiKey.create(workspace=workspace, name="First key", created_by=workspace.members.get())
    except IntegrityError:  # another machine made its first start at the same moment
        return None
    return FirstStart(email, None if password else chosen, text)
