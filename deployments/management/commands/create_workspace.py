"""Creates a workspace with its owner."""

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.utils.text import slugify

from deployments.models import User, Workspace
from deployments.setup import create_workspace


class Command(BaseCommand):
    help = "Create a workspace and its owner's account, where there is none of that e-mail address yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--slug", help="made from the name where it is left out")
        parser.add_argument("--owner", required=True, metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"] or slugify(options["name"])
        if not slug or Workspace.objects.filter(slug=slug).exists():
            raise CommandError(f"The slug “{slug}” cannot be used: it is empty or taken. Choose one with --slug.")
        try:
            validate_email(options["owner"])
        except ValidationError as error:
            raise CommandError(f"“{options['owner']}” is no e-mail address.") from error
        known = User.objects.filter(email__iexact=options["owner"]).exists()
        password = secrets.token_urlsafe(12)
        workspace = create_workspace(options["name"], slug, options["owner"], password)
        self.stdout.write(f"Workspace “{workspace.slug}” {workspace.pk} for {options['owner']}.")
        if not known:
            self.stdout.write(f"Password, shown once: {password}")
