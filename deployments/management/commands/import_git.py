"""Imports a local clone's tags as deployments."""

import argparse
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments.catalog import Catalog
from deployments.git import Clone, GitError
from deployments.importing import Destination, import_git
from deployments.management.arguments import find_workspace
from deployments.management.progress import Bars
from deployments.names import normalise_monorepo_path


class Command(BaseCommand):
    help = "Import a local Git clone: each tag that matches is a deployment of its commit at the tag's creator date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="the clone, with a work tree or bare")
        parser.add_argument("--repository", required=True, type=_name, metavar="OWNER/NAME")
        parser.add_argument("--app", required=True, type=_name)
        parser.add_argument("--environment", required=True, type=_name)
        parser.add_argument("--tags", required=True, metavar="GLOB", help="as `git tag --list` takes it: 'v*'")
        parser.add_argument("--monorepo-path", metavar="DIR", help="count only commits that touch this directory")
        parser.add_argument("--workspace", metavar="SLUG", help="needed where there are several")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        catalog = Catalog(find_workspace(options["workspace"]))
        to = Destination(
            options["repository"], options["app"], options["environment"], _path(options["monorepo_path"])
        )
        try:
            clone = Clone(options["path"])
            tags = clone.tags(options["tags"])
            if not tags:
                raise CommandError(f"No tag of a commit matches “{options['tags']}”.")
            if clone.is_shallow():
                self.stderr.write("The clone is shallow: what lies before its edge is not known.")
            with Bars() as bars:
                imported = import_git(catalog, clone, tags, to, bars.show)
        except (GitError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Imported {imported.deployments:,} deployments, {imported.changes:,} changes and"
            f" {imported.commits:,} commits in {time.monotonic() - began:.1f} s."
        )


def _name(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= 255:
        raise argparse.ArgumentTypeError("must have 1 to 255 characters")
    return text


def _path(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return normalise_monorepo_path(text)
    except ValueError as error:
        raise CommandError(f"--monorepo-path {error}") from error
