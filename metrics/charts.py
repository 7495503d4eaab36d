"""Plotly figures of a report, as plain dictionaries. Colours are names of the style sheet's custom properties."""

from typing import Any

from metrics.periods import Interval
from metrics.reports import Bucket, DoraReport

_HOUR = 3600


def bucket_label(bucket: Bucket, interval: Interval) -> str:
    """Return how a bucket is named on the axis and in the table."""
    if interval is Interval.MONTH:
        return f"{bucket.start:%b %Y}"
    if interval is Interval.WEEK:
        return f"Week of {bucket.start:%-d %b %Y}"
    return f"{bucket.start:%a %-d %b %Y}"


def frequency_figure(report: DoraReport, links: list[str]) -> dict[str, Any]:
    """Return bars of deployments; each leads to the deployments in it."""
    buckets = report.buckets
    bars = {
        "type": "bar",
        "x": [bucket.start.isoformat() for bucket in buckets],
        "y": [bucket.deployments for bucket in buckets],
        "customdata": links,
        "text": [bucket_label(bucket, report.selection.interval) for bucket in buckets],
        "textposition": "none",
        "hovertemplate": "%{text}<br>%{y} deployments<extra></extra>",
        "marker": {"color": "--series-1"},
    }
    highest = max((bucket.deployments for bucket in buckets), default=0)
    # The axis has a floor: one deployment is not a mountain.
    return {"data": [bars], "layout": _layout({"range": [0, max(4, highest * 1.1)], "tickformat": ",d"})}


def lead_time_figure(report: DoraReport) -> dict[str, Any]:
    """Return lines of the median and the 90th percentile; a bucket without changes is a gap, not a zero."""
    unit, divisor = _unit(report)
    traces = [
        _line(
            report,
            "90th percentile",
            [bucket.lead_time.p90 for bucket in report.buckets],
            "--series-2",
            "dot",
            divisor,
            unit,
        ),
        _line(
            report,
            "Median",
            [bucket.lead_time.median for bucket in report.buckets],
            "--series-1",
            "solid",
            divisor,
            unit,
        ),
    ]
    return {"data": traces, "layout": _layout({"rangemode": "tozero", "ticksuffix": f" {unit}"}, legend=True)}


def _unit(report: DoraReport) -> tuple[str, int]:
    highest = max((bucket.lead_time.p90 or 0 for bucket in report.buckets), default=0)
    return ("d", 24 * _HOUR) if highest > 3 * 24 * _HOUR else ("h", _HOUR)


def _line(
    report: DoraReport,
    name: str,
    seconds: list[float | None],
    colour: str,
    dash: str,
    divisor: int,
    unit: str,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [bucket.start.isoformat() for bucket in report.buckets],
        "y": [None if value is None else round(value / divisor, 3) for value in seconds],
        "text": [bucket_label(bucket, report.selection.interval) for bucket in report.buckets],
        "hovertemplate": f"%{{text}}<br>{name}: %{{y:.1f}} {unit}<extra></extra>",
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "size": 6, "symbol": "circle" if dash == "solid" else "diamond"},
        "connectgaps": False,
    }


def _layout(y_axis: dict[str, Any], *, legend: bool = False) -> dict[str, Any]:
    axis = {"gridcolor": "--grid", "linecolor": "--grid", "zerolinecolor": "--grid", "fixedrange": True}
    return {
        "height": 280,
        "margin": {"l": 48, "r": 12, "t": 12, "b": 36},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "--text-muted", "size": 12, "family": "inherit"},
        "xaxis": {**axis, "type": "date", "showgrid": False},
        "yaxis": {**axis, **y_axis},
        "bargap": 0.25,
        "hovermode": "closest",
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.12},
        "hoverlabel": {"bgcolor": "--surface-raised", "bordercolor": "--grid", "font": {"color": "--text"}},
    }
