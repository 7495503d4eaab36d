"""One more deployment by the whole road on a small and on a large history: does what is there matter?

And the rollup of a day on which a deployment has become another one: of the day that has the most of the last month.

python bench/one_more_deployment.py [--small N] [--large N] [--data DIR] [--database-url URL]
"""

import datetime
import hashlib
import time
from collections.abc import Callable

from two_sizes import Measure, Sample, run

NAMES = ("road", "rollup")


def prepare(workspace_id: object) -> Measure:
    """Return what reports a deployment with one new commit, has it processed, and has the rollup of its day built."""
    from django.db import connection
    from django.db.models import Count
    from django.db.models.functions import TruncDate
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from deployments import jobs
    from deployments.commits import CommitReport
    from deployments.models import Application, Deployment, JobStatus, Track, Workspace
    from deployments.processing import process_due_jobs
    from deployments.recording import DeploymentReport
    from metrics.rebuilding import rebuild

    workspace = Workspace.objects.get(pk=workspace_id)
    # The busiest application whose pipeline tells of commits.
    tracks = Track.objects.filter(environment__is_production=True, application__monorepo_path="")
    known = tracks.exclude(application__repository__default_branch_sha="").exclude(baseline_frontier=[])
    track = known.annotate(number=Count("deployments")).order_by("-number", "pk").first()
    assert track is not None
    application: Application = track.application
    repository = application.repository
    # Of an earlier run, or the newest on the main branch.
    ran = track.deployments.filter(author="bench").newest_first().values_list("commit_sha", flat=True).first()
    shas = [ran or repository.default_branch_sha]

    def report() -> DeploymentReport:
        now = timezone.now() - datetime.timedelta(seconds=30)
        parent = shas[-1]
        shas.append(hashlib.sha256(f"{parent} {now}".encode()).hexdigest()[:40])
        commit = CommitReport(shas[-1], (parent,), now, now, "bench", "Add one more")
        return DeploymentReport(
            repository.full_name, application.name, "production", shas[-1][:12], shas[-1], author="bench",
            commits=(commit,),
        )  # fmt: skip

    def go() -> None:
        job = jobs.accept(workspace, None, jobs.NewJob(payload=report().to_payload()))
        process_due_jobs()
        job.refresh_from_db()
        assert job.status == JobStatus.COMPLETE, job.log

    reached = Deployment.objects.reached().filter(environment=track.environment_id)
    latest = reached.filter(deployed_at__gte=timezone.now() - datetime.timedelta(days=30))
    days = latest.annotate(day=TruncDate("deployed_at", tzinfo=workspace.zone)).values("day")
    busiest = days.annotate(number=Count("pk")).order_by("-number").first()
    assert busiest is not None
    noon = datetime.datetime.combine(busiest["day"], datetime.time(12), workspace.zone)
    other = latest.filter(deployed_at__gte=noon).in_track_order().first() or latest.in_track_order().first()
    assert other is not None

    def become_another() -> None:
        other.author = f"bench {time.monotonic_ns()}"
        other.save(update_fields=["author"])

    def timed(act: Callable[[], object]) -> float:
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    def counted(act: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as captured:
            act()
        return len(captured)

    def measure() -> Sample:
        sample = {"day": busiest["number"], "road": timed(go)}
        rebuild()
        become_another()
        sample["rollup"] = timed(rebuild)
        sample["road queries"] = counted(go)  # another one: counting takes time
        rebuild()
        become_another()
        sample["rollup queries"] = counted(rebuild)
        return sample

    return measure


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
