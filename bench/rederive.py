"""Derives the changes of a history of 60,000 commits anew after a rule or a path has changed: longer than its import?

python bench/rederive.py
"""

import time
from collections.abc import Callable

from import_history import make_history
from installation import set_up


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main() -> None:
    data = set_up()
    from django.core.management import call_command

    from deployments.catalog import set_monorepo_path
    from deployments.changes import derive_changes, request_rebuild
    from deployments.models import Application, Change, Commit, Deployment, Track, Workspace

    path = make_history(data / "history")

    def import_as(name: str, **options: str) -> tuple[Track, float]:
        took = timed(
            lambda: call_command(
                "import_git", str(path), repository=f"bench/{name}", app=name, environment="production", tags="*",
                **options,
            )
        )  # fmt: skip
        return Track.objects.get(application__name=name), took

    def derive(track: Track) -> float:
        return timed(lambda: derive_changes(track.pk))

    def show(what: str, track: Track, imported: float, derived: float) -> None:
        changes = Change.objects.filter(deployment__track=track).count()
        print(
            f"{what}: imported in {imported:.1f} s, derived anew in {derived:.1f} s ({changes:,} changes),"
            f" ratio {derived / imported:.2f}"
        )

    track, imported = import_as("plain")
    print(f"{Commit.objects.count():,} commits, {Deployment.objects.count():,} deployments")
    Workspace.objects.update(include_merge_commits=True)
    request_rebuild(Track.objects.filter(pk=track.pk))
    show("merge commits included", track, imported, derive(track))
    Workspace.objects.update(include_merge_commits=False)
    request_rebuild(Track.objects.filter(pk=track.pk))
    show("merge commits left out again", track, imported, derive(track))
    track, imported = import_as("service", monorepo_path="api")
    set_monorepo_path(Application.objects.get(name="service"), "web", pinned=True)
    show("another monorepo path", track, imported, derive(track))


if __name__ == "__main__":
    main()
