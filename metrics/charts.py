"""Plotly figures of a report, as plain dictionaries. Colours are names of the style sheet's custom properties."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from metrics.dora import Rate
from metrics.models import Metric
from metrics.periods import Interval
from metrics.reports import Bucket, DoraReport, Measures

_HOUR = 3600
_DAY = 24 * _HOUR
Numbers = list[float | None]


@dataclass(frozen=True, slots=True)
class Extras:
    """What is drawn over the series: the goal's line, marks of changed rules, days left out, another selection."""

    goal: float | None = None
    marks: Sequence[tuple[datetime.date, str]] = ()
    left_out: Sequence[tuple[datetime.date, datetime.date, str]] = ()
    other: DoraReport | None = None
    links: Sequence[str] = ()


def bucket_label(bucket: Bucket, interval: Interval) -> str:
    """Return how a bucket is named on the axis and in the table."""
    if interval is Interval.MONTH:
        return f"{bucket.start:%b %Y}"
    if interval is Interval.WEEK:
        return f"Week of {bucket.start:%-d %b %Y}"
    return f"{bucket.start:%a %-d %b %Y}"


def figure(report: DoraReport, metric: Metric, extras: Extras) -> dict[str, Any]:
    """Return the figure of a metric over the period. A bucket without data is a gap, never a zero."""
    drawing = _Drawing(report, extras)
    if metric is Metric.DEPLOYMENT_FREQUENCY:
        drawing.frequency()
    elif metric is Metric.CHANGE_LEAD_TIME:
        drawing.lead_time()
    elif metric is Metric.RECOVERY_TIME:
        drawing.recovery()
    elif metric is Metric.CHANGE_FAIL_RATE:
        drawing.rate(lambda measures: measures.fail_rate, "failed")
    else:
        drawing.rate(lambda measures: measures.rework_rate, "unplanned")
    return drawing.finished()


class _Drawing:
    """One figure while it is drawn."""

    def __init__(self, report: DoraReport, extras: Extras) -> None:
        self.report, self.extras = report, extras
        self.starts = [bucket.start.isoformat() for bucket in report.buckets]
        self.labels = [bucket_label(bucket, report.selection.interval) for bucket in report.buckets]
        self.traces: list[dict[str, Any]] = []
        self.y_axis: dict[str, Any] = {}
        self.goal: float | None = None

    def frequency(self) -> None:
        counts = [bucket.measures.frequency.deployments for bucket in self.report.buckets]
        self._bars("Deployments", counts, "--series-1", list(self.extras.links))
        if self.extras.other is not None:
            others = [bucket.measures.frequency.deployments for bucket in self.extras.other.buckets]
            self._bars("Compared with", others, "--series-2", [])
            counts = counts + others
        if self.extras.goal is not None:
            self._goal_by_bucket(self.extras.goal)
        # The axis has a floor: one deployment is not a mountain.
        self.y_axis = {"range": [0, max(4.0, max(counts, default=0) * 1.1)], "tickformat": ",d"}

    def _goal_by_bucket(self, per_day: float) -> None:
        """Draw a goal per day as what it asks of each bucket: weeks have fewer days that count than others."""
        calendar, period = self.report.calendar, self.report.selection.period
        asked = [
            per_day * calendar.counted_days(max(bucket.start, period.first), bucket.last)
            for bucket in self.report.buckets
        ]
        self.traces.append({
            "type": "scatter", "mode": "lines", "name": "Goal", "x": self.starts, "y": asked, "line": _GOAL_LINE,
            "hovertemplate": "Goal: %{y:.1f}<extra></extra>",
        })  # fmt: skip

    def lead_time(self) -> None:
        unit, divisor = self._unit(lambda measures: measures.lead_time.p90)
        self._line("90th percentile", lambda measures: measures.lead_time.p90, "--series-2", "dot", unit, divisor)
        self._line("Median", lambda measures: measures.lead_time.median, "--series-1", "solid", unit, divisor)
        self._compared(lambda measures: measures.lead_time.median, unit, divisor)
        self._time_axis(unit, divisor)

    def recovery(self) -> None:
        unit, divisor = self._unit(lambda measures: measures.recovery.spread.median)
        self._line("Median", lambda measures: measures.recovery.spread.median, "--series-1", "solid", unit, divisor)
        self._compared(lambda measures: measures.recovery.spread.median, unit, divisor)
        self._time_axis(unit, divisor)

    def rate(self, choose: Callable[[Measures], Rate], word: str) -> None:
        rates = [choose(bucket.measures) for bucket in self.report.buckets]
        low = [None if rate.range is None else rate.range[0] * 100 for rate in rates]
        high = [None if rate.range is None else rate.range[1] * 100 for rate in rates]
        self._band(low, high)
        values = [None if rate.value is None else rate.value * 100 for rate in rates]
        hover = f"%{{text}}<br>%{{customdata[0]}} of %{{customdata[1]}} {word}: %{{y:.0f}} %<extra></extra>"
        parts = [[rate.part, rate.whole] for rate in rates]
        self.traces.append({
            **self._scatter("--series-1", "solid", values),
            "name": word.capitalize(), "customdata": parts, "hovertemplate": hover,
        })  # fmt: skip
        self._compared(lambda measures: choose(measures).value, "%", 0.01)
        self.goal = None if self.extras.goal is None else self.extras.goal * 100
        highest = max((value for value in [*high, self.goal] if value is not None), default=0)
        self.y_axis = {"range": [0, min(100, max(10, highest * 1.05))], "ticksuffix": " %"}

    def _band(self, low: Numbers, high: Numbers) -> None:
        """Draw the 95 % ranges as bars behind the line: a band would bridge what has no data."""
        heights = [None if a is None or b is None else b - a for a, b in zip(low, high, strict=True)]
        self.traces.append({
            "type": "bar", "name": "95 % range", "x": self.starts, "y": heights,
            "base": [value or 0 for value in low], "marker": {"color": "--accent-soft"}, "hoverinfo": "skip",
        })  # fmt: skip

    def _bars(self, name: str, counts: list[int], colour: str, links: list[str]) -> None:
        self.traces.append({
            "type": "bar", "name": name, "x": self.starts[: len(counts)], "y": counts, "customdata": links,
            "text": self.labels[: len(counts)], "textposition": "none",
            "hovertemplate": f"%{{text}}<br>%{{y}} {'deployments' if links else name.lower()}<extra></extra>",
            "marker": {"color": colour},
        })  # fmt: skip

    def _unit(self, choose: Callable[[Measures], float | None]) -> tuple[str, int]:
        others = [] if self.extras.other is None else self.extras.other.buckets
        values = [choose(bucket.measures) or 0 for bucket in [*self.report.buckets, *others]]
        return ("d", _DAY) if max([*values, self.extras.goal or 0]) > 3 * _DAY else ("h", _HOUR)

    def _time_axis(self, unit: str, divisor: int) -> None:
        self.y_axis = {"rangemode": "tozero", "ticksuffix": f" {unit}"}
        self.goal = None if self.extras.goal is None else self.extras.goal / divisor

    def _line(
        self,
        name: str,
        choose: Callable[[Measures], float | None],
        colour: str,
        dash: str,
        unit: str,
        divisor: float,
        *,
        buckets: Sequence[Bucket] | None = None,
    ) -> None:
        found = [choose(bucket.measures) for bucket in buckets or self.report.buckets][: len(self.starts)]
        values = [None if value is None else round(value / divisor, 3) for value in found]
        self.traces.append({
            **self._scatter(colour, dash, values),
            "name": name,
            "hovertemplate": f"%{{text}}<br>{name}: %{{y:.1f}} {unit}<extra></extra>",
        })  # fmt: skip

    def _compared(self, choose: Callable[[Measures], float | None], unit: str, divisor: float) -> None:
        """Draw the other selection, bucket by bucket beside this one."""
        if self.extras.other is not None:
            buckets = self.extras.other.buckets
            self._line("Compared with", choose, "--series-3", "dash", unit, divisor, buckets=buckets)

    def _scatter(self, colour: str, dash: str, values: Numbers) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "lines+markers",
            "x": self.starts[: len(values)],
            "y": values,
            "text": self.labels[: len(values)],
            "line": {"color": colour, "width": 2, "dash": dash},
            "marker": {"color": colour, "size": 6, "symbol": "circle" if dash == "solid" else "diamond"},
            "connectgaps": False,
        }

    def finished(self) -> dict[str, Any]:
        layout = _layout(self.y_axis, legend=sum("name" in trace for trace in self.traces) > 1)
        layout["shapes"] = [*self._goal_shape(), *self._mark_shapes(), *self._left_out_shapes()]
        layout["annotations"] = [
            {
                "x": day.isoformat(), "y": 1, "yref": "paper", "text": "◆", "showarrow": False, "hovertext": summary,
                "yanchor": "bottom", "font": {"color": "--text-muted", "size": 11},
            }
            for day, summary in self._marks()
        ]  # fmt: skip
        return {"data": self.traces, "layout": layout}

    def _marks(self) -> list[tuple[datetime.date, str]]:
        period = self.report.selection.period
        return [(day, summary) for day, summary in self.extras.marks if period.first <= day <= period.last]

    def _goal_shape(self) -> list[dict[str, Any]]:
        if self.goal is None:
            return []
        return [{
            "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": self.goal, "y1": self.goal, "line": _GOAL_LINE,
        }]  # fmt: skip

    def _mark_shapes(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "line", "x0": day.isoformat(), "x1": day.isoformat(), "yref": "paper", "y0": 0, "y1": 1,
                "line": {"color": "--text-muted", "width": 1, "dash": "dot"},
            }
            for day, _ in self._marks()
        ]  # fmt: skip

    def _left_out_shapes(self) -> list[dict[str, Any]]:
        """Shade the days that do not count, where buckets are days: a weekend inside a week is nothing to see."""
        half = datetime.timedelta(hours=12)
        if self.report.selection.interval is not Interval.DAY:
            return []
        return [
            {
                "type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0},
                "x0": (datetime.datetime.combine(first, datetime.time()) - half).isoformat(),
                "x1": (datetime.datetime.combine(last, datetime.time()) + half).isoformat(),
                "fillcolor": "--surface-sunken",
            }
            for first, last, _ in self.extras.left_out
        ]  # fmt: skip


_GOAL_LINE = {"color": "--good", "width": 2, "dash": "dash"}


def sparkline(values: Sequence[float | None], width: int = 120, height: int = 28) -> list[str]:
    """Return the polylines of a series as SVG points, one for each stretch without a gap."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return []
    highest = max(known) or 1.0
    step = width / max(1, len(values) - 1)
    lines: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{place * step:.1f},{height - 2 - (height - 4) * value / highest:.1f}")
    # A line from a point to itself is a dot: its ends are round.
    return [" ".join(points if len(points) > 1 else points * 2) for points in lines if points]


def _layout(y_axis: dict[str, Any], *, legend: bool = False) -> dict[str, Any]:
    axis = {"gridcolor": "--grid", "linecolor": "--grid", "zerolinecolor": "--grid", "fixedrange": True}
    return {
        "height": 280,
        "margin": {"l": 48, "r": 12, "t": 18, "b": 36},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "--text-muted", "size": 12, "family": "inherit"},
        "xaxis": {**axis, "type": "date", "showgrid": False},
        "yaxis": {**axis, **y_axis},
        "bargap": 0.25,
        "hovermode": "closest",
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.14},
        "hoverlabel": {"bgcolor": "--surface-raised", "bordercolor": "--grid", "font": {"color": "--text"}},
    }
