"""The figures of the overview by hand-written SQL over raw rows: what rollups have to beat.

By the definitions of docs/metrics.md, bots set apart. It is meant to be as fast as SQL can be made here: each column
is in a covering index made for it, bots are found in small partial indexes, and what may be known beforehand, such as
where days begin, it is given. Of several ways tried the fastest is kept: the lead times of a week are handed over as
one text, which takes a quarter of the time of a row for each, and NumPy finds percentiles.
"""

import datetime
import itertools
from typing import Any

import numpy as np

_D, _C = "deployments_deployment", "deployments_change"
_PR, _COMMIT = "deployments_pullrequest", "deployments_commit"
_STAGES = (
    "coding_seconds", "draft_seconds", "waiting_for_review_seconds", "review_seconds",
    "waiting_for_deployment_seconds",
)  # fmt: skip
_SUMS = ", ".join(f"sum({stage})" for stage in _STAGES)
_REACHED = "reached_environment AND archived_at IS NULL"
_ATTEMPT = "NOT reached_environment AND has_failed AND archived_at IS NULL"
_BOT = "author_is_bot OR author LIKE '%[bot]'"
# SQLite reads the table for a column of the condition that is not in the index.
_DEPLOYMENT = "id, reached_environment, archived_at, change_kind, has_failed, is_rework, repaired_at"
_CHANGE = f"lead_time_seconds, pull_request_id, commit_id, {', '.join(_STAGES)}"
# Name, table, key, columns beside it, condition.
_INDEXES = (
    ("bench_reached", _D, "environment_id, deployed_at", _DEPLOYMENT, _REACHED),
    ("bench_attempts", _D, "environment_id, deployed_at", _DEPLOYMENT, _ATTEMPT),
    ("bench_changes", _C, "deployment_id", _CHANGE, ""),
    ("bench_bots", _PR, "id", "", _BOT),
    ("bench_bot_commits", _COMMIT, "id", "", "author LIKE '%[bot]'"),
)
_COUNTED = "(change_kind <> 'redeploy' OR has_failed OR is_rework)"
Figures = dict[str, Any]


def make_indexes(connection: Any) -> None:
    """Make the indexes that the statements below are read from."""
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        for name, table, key, others, where in _INDEXES:
            if is_postgresql:
                columns = f"({key})" + (f" INCLUDE ({others})" if others else "")
            else:
                columns = f"({key}, {others})" if others else f"({key})"
            condition = f" WHERE {where}" if where else ""
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} {columns}{condition}")
        for table in (_D, _C, _PR, _COMMIT):
            cursor.execute(f"{'VACUUM ' if is_postgresql else ''}ANALYZE {table}")


class Overview:
    """The statements of one period of `days` days and the one before it."""

    def __init__(
        self, connection: Any, environment_ids: list[int], edges: list[datetime.datetime], days: int
    ) -> None:
        self._connection = connection
        self._environments = environment_ids
        self._edges = edges  # where each day begins, in its own time zone, and the end of the last
        self._middle = edges[days]
        self._weeks = sorted({edges[days], *(edge for edge in edges[days:-1] if edge.weekday() == 0)})

    def figures(self) -> Figures:
        """Return the figures of the period; those of the one before are worked out too."""
        is_postgresql = self._connection.vendor == "postgresql"
        with self._connection.cursor() as cursor:
            return _OnPostgresql(self, cursor).figures() if is_postgresql else _OnSqlite(self, cursor).figures()

    @property
    def spans(self) -> list[tuple[datetime.datetime, datetime.datetime]]:
        """The period before, then each week of the period."""
        return list(itertools.pairwise([self._edges[0], *self._weeks, self._edges[-1]]))


class _OnSqlite:
    def __init__(self, asked: Overview, cursor: Any) -> None:
        self._asked, self._cursor = asked, cursor
        self._texts = [_utc(edge) for edge in asked._edges]

    def figures(self) -> Figures:
        days = len(self._texts) // 2
        self._counts(self._texts[0], self._texts[days], self._texts[: days + 1])
        figures = self._counts(self._texts[days], self._texts[-1], self._texts[days:])
        before, *weeks = [self._leads(*map(_utc, span)) for span in self._asked.spans]
        _percentiles(before[0])
        leads = np.concatenate([week[0] for week in weeks])
        median, p90 = _percentiles(leads)
        return figures | {
            "changes": len(leads), "median": median, "p90": p90,
            "stages": tuple(sum(week[1][place] for week in weeks) for place in range(len(_STAGES))),
            "weeks": [_percentiles(week[0]) for week in weeks if len(week[0])],
        }  # fmt: skip

    def _counts(self, start: str, end: str, edges: list[str]) -> Figures:
        recovery = "group_concat(unixepoch(repaired_at) - unixepoch(deployed_at))"
        sums = [0, 0, 0, 0, 0]
        recoveries, hours = [], set[str]()
        marks = ", ".join(["%s"] * len(self._asked._environments))
        where = f"environment_id IN ({marks}) AND deployed_at >= %s AND deployed_at < %s"
        for index, condition in (("bench_reached", _REACHED), ("bench_attempts", _ATTEMPT)):
            self._cursor.execute(
                f"SELECT sum({_COUNTED}), sum(has_failed), sum(is_rework), sum(has_failed AND repaired_at IS NULL),"
                f" {recovery} FILTER (WHERE has_failed), count(*) FROM {_D} INDEXED BY {index}"
                f" WHERE {condition} AND {where}",
                [*self._asked._environments, start, end],
            )
            *found, texts, _ = self._cursor.fetchone()
            is_attempt = condition == _ATTEMPT
            for place, number in enumerate(found):
                sums[place] += 0 if is_attempt and place in (0, 2) else number or 0
            recoveries.append(_numbers(texts))
        self._cursor.execute(
            f"SELECT DISTINCT substr(deployed_at, 1, 13) FROM {_D} INDEXED BY bench_reached"
            f" WHERE {_REACHED} AND {where} AND {_COUNTED}",
            [*self._asked._environments, start, end],
        )
        hours = {row[0] for row in self._cursor.fetchall()}
        places = np.searchsorted([edge[:13] for edge in edges], sorted(hours), side="right")
        return {
            "deployments": sums[0], "failed": sums[1], "rework": sums[2], "open": sums[3], "days": len(set(places)),
            "recovery": _percentiles(np.concatenate(recoveries))[0],
        }  # fmt: skip

    def _leads(self, start: str, end: str) -> tuple[Any, Any]:
        marks = ", ".join(["%s"] * len(self._asked._environments))
        self._cursor.execute(
            f"SELECT {_SUMS}, group_concat(lead_time_seconds) FROM {_D} d INDEXED BY bench_reached"
            f" CROSS JOIN {_C} c INDEXED BY bench_changes WHERE d.id = c.deployment_id AND {_REACHED}"
            f" AND environment_id IN ({marks}) AND deployed_at >= %s AND deployed_at < %s"
            f" AND {_people()}",
            [*self._asked._environments, start, end],
        )
        *stages, texts = self._cursor.fetchone()
        return _numbers(texts), [stage or 0 for stage in stages]


class _OnPostgresql:
    def __init__(self, asked: Overview, cursor: Any) -> None:
        self._asked, self._cursor = asked, cursor
        cursor.execute("SET work_mem = '512MB'; SET jit = off; SET random_page_cost = 1.1")

    def figures(self) -> Figures:
        asked = self._asked
        within = [asked._environments, asked._edges[0], asked._edges[-1]]
        where = "environment_id = ANY(%s) AND deployed_at >= %s AND deployed_at < %s"
        columns = "deployed_at, change_kind, has_failed, is_rework, repaired_at"
        self._cursor.execute(
            f"SELECT deployed_at >= %s, count(*) FILTER (WHERE reached AND {_COUNTED}),"
            f" count(DISTINCT width_bucket(deployed_at, %s::timestamptz[])) FILTER (WHERE reached AND {_COUNTED}),"
            " count(*) FILTER (WHERE has_failed), count(*) FILTER (WHERE reached AND is_rework),"
            " percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM repaired_at - deployed_at)::float8)"
            " FILTER (WHERE has_failed), count(*) FILTER (WHERE has_failed AND repaired_at IS NULL)"
            f" FROM (SELECT true AS reached, {columns} FROM {_D} WHERE {_REACHED} AND {where} UNION ALL"
            f" SELECT false, {columns} FROM {_D} WHERE {_ATTEMPT} AND {where}) d GROUP BY 1 ORDER BY 1",
            [asked._middle, asked._edges, *within, *within],
        )
        _, deployments, days, failed, rework, recovery, still_open = self._cursor.fetchall()[-1]
        leads = self._leads(where, within)
        weeks = [_numbers(row[2]) for row in leads if row[1]]
        _percentiles(np.concatenate([_numbers(row[2]) for row in leads if not row[1]] or [np.empty(0)]))
        everything = np.concatenate(weeks) if weeks else np.empty(0)
        median, p90 = _percentiles(everything)
        return {
            "deployments": deployments, "failed": failed, "rework": rework, "open": still_open, "days": days,
            "recovery": recovery, "changes": len(everything), "median": median, "p90": p90,
            "stages": tuple(sum(int(row[place] or 0) for row in leads if row[1]) for place in range(3, 8)),
            "weeks": [_percentiles(week) for week in weeks],
        }  # fmt: skip

    def _leads(self, where: str, within: list[Any]) -> list[Any]:
        """Return the lead times of each week, and of the period before.

        Without the limits of ids PostgreSQL reads the changes of the whole history, which takes eight times as long.
        """
        columns = f"lead_time_seconds, pull_request_id, commit_id, {', '.join(_STAGES)}"
        self._cursor.execute(
            f"WITH d AS MATERIALIZED (SELECT id, deployed_at FROM {_D} WHERE {_REACHED} AND {where}),"
            f" c AS MATERIALIZED (SELECT deployed_at, {columns} FROM {_C} c JOIN d ON d.id = c.deployment_id"
            "  WHERE lead_time_seconds IS NOT NULL AND c.deployment_id BETWEEN (SELECT min(id) FROM d)"
            "  AND (SELECT max(id) FROM d)),"
            f" b AS MATERIALIZED (SELECT id FROM {_PR} WHERE ({_BOT.replace('%', '%%')})"
            "  AND id BETWEEN (SELECT min(pull_request_id) FROM c) AND (SELECT max(pull_request_id) FROM c)),"
            f" k AS MATERIALIZED (SELECT id FROM {_COMMIT} WHERE author LIKE '%%[bot]'"
            "  AND id BETWEEN (SELECT min(commit_id) FROM c) AND (SELECT max(commit_id) FROM c))"
            " SELECT width_bucket(deployed_at, %s::timestamptz[]), deployed_at >= %s,"
            f" string_agg(lead_time_seconds::text, ','), {_SUMS} FROM c"
            " WHERE (pull_request_id IS NULL OR pull_request_id NOT IN (SELECT id FROM b))"
            " AND NOT (pull_request_id IS NULL AND commit_id IN (SELECT id FROM k)) GROUP BY 1, 2 ORDER BY 1, 2",
            [*within, self._asked._weeks, self._asked._middle],
        )
        found: list[Any] = self._cursor.fetchall()
        return found


def _people() -> str:
    """Return what leaves out the changes of bots, on SQLite."""
    bots, commits = "INDEXED BY bench_bots", "INDEXED BY bench_bot_commits"
    return (
        f"lead_time_seconds IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {_PR} p {bots} WHERE p.id = c.pull_request_id"
        f" AND ({_BOT})) AND NOT (c.pull_request_id IS NULL AND EXISTS (SELECT 1 FROM {_COMMIT} k {commits}"
        " WHERE k.id = c.commit_id AND author LIKE '%[bot]'))"
    ).replace("%", "%%")


def _utc(moment: datetime.datetime) -> str:
    return str(moment.astimezone(datetime.UTC).replace(tzinfo=None))


def _numbers(texts: str | None) -> Any:
    return np.fromstring(texts, np.int64, sep=",") if texts else np.empty(0, np.int64)


def _percentiles(values: Any) -> tuple[float | None, float | None]:
    return tuple(np.percentile(values, (50, 90)).tolist()) if len(values) else (None, None)
