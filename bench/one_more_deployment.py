"""One more deployment by the whole road on a small and on a large history: does what is there matter?

And the rollup of a day on which a deployment has become another one: of the day that has the most of the last month.

python bench/one_more_deployment.py [--small N] [--large N] [--data DIR] [--database-url URL]
"""

import datetime
import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from two_sizes import Measure, Sample, run

if TYPE_CHECKING:
    from deployments.models import Track, Workspace

NAMES = ("road", "rollup")


def prepare(workspace_id: object) -> Measure:
    """Return what measures a deployment with one new commit, processed, and a day's rollup, built."""
    from deployments.models import Workspace
    from metrics.rebuilding import rebuild

    workspace = Workspace.objects.get(pk=workspace_id)
    track = busiest_track()
    deploy = deploying(workspace, track)
    change, number = changing(workspace, track)

    def measure() -> Sample:
        sample = {"day": number, "road": timed(deploy)}
        rebuild()
        change()
        sample["rollup"] = timed(rebuild)
        sample["road queries"] = counted(deploy)  # another one: counting takes time
        rebuild()
        change()
        sample["rollup queries"] = counted(rebuild)
        return sample

    return measure


def busiest_track() -> "Track":
    """Return the production track with the most deployments whose pipeline tells of commits."""
    from django.db.models import Count

    from deployments.models import Track

    tracks = Track.objects.filter(environment__is_production=True, application__monorepo_path="")
    known = tracks.exclude(application__repository__default_branch_sha="").exclude(baseline_frontier=[])
    return known.annotate(number=Count("deployments")).order_by("-number", "pk")[0]


def deploying(workspace: "Workspace", track: "Track") -> Callable[[], None]:
    """Return what reports one more deployment of a track, with one new commit, and has it processed."""
    from django.utils import timezone

    from deployments import jobs
    from deployments.commits import CommitReport
    from deployments.models import JobStatus
    from deployments.processing import process_due_jobs
    from deployments.recording import DeploymentReport

    application, repository = track.application, track.application.repository
    # Of an earlier run, or the newest on the main branch.
    ran = track.deployments.filter(author="bench").newest_first().values_list("commit_sha", flat=True).first()
    shas = [ran or repository.default_branch_sha]

    def deploy() -> None:
        now = timezone.now() - datetime.timedelta(seconds=30)
        sha = hashlib.sha256(f"{shas[-1]} {now}".encode()).hexdigest()[:40]
        commit = CommitReport(sha, (shas[-1],), now, now, "bench", "Add one more")
        shas.append(sha)
        report = DeploymentReport(
            repository.full_name, application.name, "production", sha[:12], sha, author="bench", commits=(commit,)
        )
        job = jobs.accept(workspace, None, jobs.NewJob(payload=report.to_payload()))
        process_due_jobs()
        job.refresh_from_db()
        assert job.status == JobStatus.COMPLETE, job.log

    return deploy


def changing(workspace: "Workspace", track: "Track") -> tuple[Callable[[], None], int]:
    """Return what changes a deployment of the busiest day of the last month, and how many that day has."""
    from django.db.models import Count
    from django.db.models.functions import TruncDate
    from django.utils import timezone

    from deployments.models import Deployment

    reached = Deployment.objects.reached().filter(environment=track.environment_id)
    latest = reached.filter(deployed_at__gte=timezone.now() - datetime.timedelta(days=30))
    days = latest.annotate(day=TruncDate("deployed_at", tzinfo=workspace.zone)).values("day")
    busiest = days.annotate(number=Count("pk")).order_by("-number")[0]
    noon = datetime.datetime.combine(busiest["day"], datetime.time(12), workspace.zone)
    other = latest.filter(deployed_at__gte=noon).in_track_order().first() or latest.in_track_order()[0]

    def change() -> None:
        other.author = f"bench {time.monotonic_ns()}"
        other.save(update_fields=["author"])

    return change, busiest["number"]


def timed(act: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def counted(act: Callable[[], object]) -> int:
    """Return how many queries something causes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def main() -> None:
    small, large = run(__file__, prepare)
    for side in (small, large):
        last = side.samples[-1]
        print(
            f"{side.deployments:,} deployments, {last['day']:,} on the busiest day: "
            + ", ".join(
                f"{name} {side.median(name) * 1000:.1f} ms in {last[f'{name} queries']} queries" for name in NAMES
            )
        )
    print("ratio large / small: " + ", ".join(f"{n} {large.median(n) / small.median(n):.2f}" for n in NAMES))


if __name__ == "__main__":
    main()
