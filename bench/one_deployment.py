"""Attributes one new deployment on a short and on a long history: does the length matter?"""

import datetime
import statistics
import time

from installation import set_up

SHORT, LONG, ROUNDS = 1_000, 60_000, 15
START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def sha(repository: int, commit: int) -> str:
    return f"{repository:08x}{commit:032x}"


def main() -> None:
    set_up()
    from django.db import connection, reset_queries
    from django.test.utils import CaptureQueriesContext

    from deployments.catalog import Catalog
    from deployments.changes import derive_changes
    from deployments.commits import CommitReport, record_commits
    from deployments.models import Workspace
    from deployments.recording import DeploymentReport, record_deployment

    catalog = Catalog(Workspace.objects.get())

    def commits(number: int, first: int, last: int) -> list[CommitReport]:
        moments = [START + datetime.timedelta(minutes=10 * commit) for commit in range(first, last)]
        return [
            CommitReport(sha(number, commit), (sha(number, commit - 1),) if commit else (), moment, moment)
            for commit, moment in zip(range(first, last), moments, strict=True)
        ]

    def deploy(number: int, commit: int) -> int:
        moment = START + datetime.timedelta(minutes=10 * commit + 5)
        report = DeploymentReport(
            f"bench/{number}", "app", "production", f"v{commit}", sha(number, commit), deployed_at=moment
        )
        deployment = record_deployment(catalog, report, reported_at=moment).deployment
        derive_changes(deployment.track_id)
        return deployment.track_id

    seconds, queries = {}, {}
    for number, length in enumerate((SHORT, LONG)):
        repository = catalog.repository(f"bench/{number}")
        record_commits(repository, commits(number, 0, length))
        deploy(number, 10)
        deploy(number, length - 1)
        times = []
        for round_ in range(ROUNDS):
            first = length + 20 * round_
            record_commits(repository, commits(number, first, first + 20))
            reset_queries()
            with CaptureQueriesContext(connection) as captured:
                began = time.perf_counter()
                deploy(number, first + 19)
                times.append(time.perf_counter() - began)
        seconds[length], queries[length] = statistics.median(times), len(captured)
    for length in (SHORT, LONG):
        print(f"{length:,} commits: {seconds[length] * 1000:.1f} ms, {queries[length]} queries for 20 new commits")
    print(f"ratio long / short: {seconds[LONG] / seconds[SHORT]:.2f}")


if __name__ == "__main__":
    main()
