"""The overview of 90 days over all production tracks, on a small and on a large history, and by hand-written SQL.

python bench/dashboard.py [--small N] [--large N] [--data DIR]
python bench/dashboard.py --large 10000000 --database-url postgres://user@host/slipway_bench_{size}
"""

import datetime
import math
import time
from typing import Any

from two_sizes import Measure, Sample, Side, run

NAMES = ("report", "page", "sql")


def prepare(workspace_id: object) -> Measure:
    """Return what measures the report, the page and the SQL once."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.http import QueryDict
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from raw_sql import Overview, make_indexes

    from deployments.models import Membership, Workspace
    from metrics.periods import start_of_day
    from metrics.reports import dora_report
    from metrics.selections import read_selection

    workspace = Workspace.objects.get(pk=workspace_id)
    person, _ = get_user_model().objects.get_or_create(email="bench@example.com")
    Membership.objects.get_or_create(user=person, workspace=workspace)
    client = Client()
    client.force_login(person)
    make_indexes(connection)
    period = read_selection(workspace, QueryDict("period=90d")).period
    days = [period.first + datetime.timedelta(days=number) for number in range(-period.days, period.days + 1)]
    edges = [start_of_day(day, workspace.zone).astimezone(workspace.zone) for day in days]
    environments = list(workspace.environments.filter(is_production=True).values_list("pk", flat=True))
    sql = Overview(connection, environments, edges, period.days)

    def report() -> Any:
        return dora_report(read_selection(workspace, QueryDict("period=90d")))

    def page() -> None:
        response = client.get("/", {"period": "90d"})
        assert response.status_code == 200, response.status_code

    def measure() -> Sample:
        sample, found = {}, {}
        for name, act in zip(NAMES, (report, page, sql.figures), strict=True):
            began, cpu = time.perf_counter(), time.process_time()
            found[name] = act()
            sample[name] = time.perf_counter() - began
            sample[f"{name} cpu"] = time.process_time() - cpu
        with CaptureQueriesContext(connection) as captured:
            report()
        differing = differences(found["report"], found["sql"])
        return sample | {
            "queries": len(captured), "differing": differing, "vendor": connection.vendor,
            "deployments": found["sql"]["deployments"], "changes": found["sql"]["changes"],
        }  # fmt: skip

    return measure


def differences(report: Any, figures: dict[str, Any]) -> list[str]:
    """Return the names of the figures on which the report and the SQL do not agree."""
    now, stages = report.now, report.now.stages
    weeks = [bucket.measures.lead_time for bucket in report.buckets if bucket.measures.lead_time.count]
    ours = {
        "deployments": now.frequency.deployments, "days": now.frequency.days_with_deployments,
        "failed": now.fail_rate.part, "rework": now.rework_rate.part, "open": now.recovery.open,
        "recovery": now.recovery.spread.median, "changes": now.lead_time.count, "median": now.lead_time.median,
        "p90": now.lead_time.p90, "stages": tuple(mean * stages.changes for mean in stages.means.values()),
        "weeks": [(week.median, week.p90) for week in weeks],
    }  # fmt: skip
    return [name for name, value in ours.items() if not same(value, figures[name])]


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)


def main() -> None:
    small, large = run(__file__, prepare)
    for side in (small, large):
        last = side.samples[-1]
        first, median = side.samples[0], {name: side.median(name) * 1000 for name in NAMES}
        print(
            f"{side.deployments:,} deployments ({last['deployments']:,} and {last['changes']:,} changes in 90 days):"
            f" report {median['report']:.1f} ms in {last['queries']} queries, page {median['page']:.1f} ms,"
            f" SQL {median['sql']:.1f} ms; first run: report {first['report'] * 1000:.0f} ms,"
            f" page {first['page'] * 1000:.0f} ms, SQL {first['sql'] * 1000:.0f} ms;"
            + (f" THE FIGURES DIFFER: {last['differing']}" if last["differing"] else " the same figures")
        )
    print(f"ratio large / small: report {ratio(large, small, 'report'):.2f}, page {ratio(large, small, 'page'):.2f}")
    for side in (small, large):
        line = f"ratio report / SQL at {side.deployments:,}: {side.median('report') / side.median('sql'):.3f}"
        if side.samples[-1]["vendor"] == "sqlite":  # all of it happens in this process
            line += f"; of CPU time {side.median('report cpu') / side.median('sql cpu'):.3f}"
            line += f" ({side.median('report cpu') * 1000:.1f} and {side.median('sql cpu') * 1000:.1f} ms)"
        print(line)


def ratio(large: Side, small: Side, name: str) -> float:
    return large.median(name) / small.median(name)


if __name__ == "__main__":
    main()
