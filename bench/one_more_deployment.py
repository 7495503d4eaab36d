"""One more deployment by the whole road on a small and on a large history: does what is there matter?

python bench/one_more_deployment.py [--small N] [--large N] [--data DIR] [--database-url URL]
"""

import datetime
import hashlib
import time

from two_sizes import Measure, Sample, run

NAMES = ("road", "rollup")


def prepare(workspace_id: object) -> Measure:
    """Return what reports a deployment with one new commit, has it processed, and has the rollup of its day built."""
    from django.db import connection
    from django.db.models import Count
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from deployments import jobs
    from deployments.commits import CommitReport
    from deployments.models import Application, JobStatus, Track, Workspace
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

    def measure() -> Sample:
        sample = {}
        for name, act in (("road", go), ("rollup", rebuild)):
            began = time.perf_counter()
            act()
            sample[name] = time.perf_counter() - began
        for name, act in (("road queries", go), ("rollup queries", rebuild)):  # another one: counting takes time
            with CaptureQueriesContext(connection) as captured:
                act()
            sample[name] = len(captured)
        return sample

    return measure


def main() -> None:
    small, large = run(__file__, prepare)
    for side in (small, large):
        last = side.samples[-1]
        print(
            f"{side.deployments:,} deployments: "
            + ", ".join(
                f"{name} {side.median(name) * 1000:.1f} ms in {last[f'{name} queries']} queries" for name in NAMES
            )
        )
    print("ratio large / small: " + ", ".join(f"{n} {large.median(n) / small.median(n):.2f}" for n in NAMES))


if __name__ == "__main__":
    main()
