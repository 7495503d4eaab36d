"""What the document of the API says of the metrics and the badges."""

from drf_spectacular.utils import extend_schema

from deployments.api.openapi.json_schema import (
    PATHS,
    Schema,
    boolean,
    choice,
    component,
    day,
    integer,
    list_of,
    nullable,
    number,
    record,
    text,
)
from deployments.api.openapi.parts import APP, ENVIRONMENT, METRICS, OTHERS, REPOSITORY, answer, query, several
from metrics.export import NAMES, camel
from metrics.facts import STAGES
from metrics.levels import Level
from metrics.models import Metric
from metrics.packing import Bots
from metrics.periods import Interval
from metrics.selections import PRESETS

_SECONDS = nullable(number("Seconds; null without data."))
_SHARE = nullable(number("A share, 0 to 1; null without data.", minimum=0, maximum=1))
_COUNT = integer(minimum=0)
_RANGE = nullable(record({"low": number(), "high": number()}, "The range of 95 %; null where the sample has none."))
_FREQUENCY = {
    "perDay": nullable(number("Deployments a day.")),
    "deployments": _COUNT,
    "daysWithDeployments": _COUNT,
    "daysCounted": _COUNT,
}
_LEAD_TIME = {"medianSeconds": _SECONDS, "p90Seconds": _SECONDS, "changes": _COUNT}
_RECOVERY = {"medianSeconds": _SECONDS, "recovered": _COUNT, "open": _COUNT}
_STAGES = record(
    {
        **{f"{camel(name)}MeanSeconds": number() for name in STAGES},
        "meanSeconds": number(),
        "changes": _COUNT,
    },
    "How long changes with stages spent in each; empty where none has any.",
    optional=[*(f"{camel(name)}MeanSeconds" for name in STAGES), "meanSeconds", "changes"],
)


def _rate(part: str) -> dict[str, Schema]:
    return {"value": _SHARE, part: _COUNT, "deployments": _COUNT}


# What is told of a period, and what of each bucket of its series.
_FIGURES: dict[Metric, tuple[dict[str, Schema], dict[str, Schema]]] = {
    Metric.DEPLOYMENT_FREQUENCY: ({**_FREQUENCY, "range": _RANGE}, {"deployments": _COUNT}),
    Metric.CHANGE_LEAD_TIME: (
        {**_LEAD_TIME, "meanSeconds": _SECONDS, "range": _RANGE, "stages": _STAGES},
        _LEAD_TIME,
    ),
    Metric.RECOVERY_TIME: (
        {
            **_RECOVERY,
            "p90Seconds": _SECONDS,
            "meanSeconds": _SECONDS,
            "longestOpenSeconds": _SECONDS,
            "range": _RANGE,
        },
        _RECOVERY,
    ),
    Metric.CHANGE_FAIL_RATE: ({**_rate("failed"), "range": _RANGE}, _rate("failed")),
    Metric.REWORK_RATE: ({**_rate("rework"), "range": _RANGE}, _rate("rework")),
}
_COVERAGE = record(
    {
        "share": _SHARE,
        **dict.fromkeys(
            ("deployments", "withoutKnownCommits", "baselines", "changesWithoutStart", "clocksAhead", "botChanges"),
            _COUNT,
        ),
    },
    "From which share of the deployments the numbers are, and what was left out.",
)
_MORE: dict[Metric, dict[str, Schema]] = {
    Metric.CHANGE_LEAD_TIME: {"coverage": _COVERAGE},
    Metric.CHANGE_FAIL_RATE: {
        "failedAttempts": integer("Deployments that never reached the environment.", minimum=0)
    },
}
_COMPARISON = component(
    "Comparison",
    record(
        {
            "change": nullable(number("A share of what it was; of rates the difference.")),
            "isMoreThanNoise": boolean(),
            "isBetter": nullable(boolean()),
        },
        "How a metric changed against the period before.",
    ),
)
_LEVEL = component(
    "Level",
    record(
        {
            "year": integer(),
            "level": choice(Level),
            "description": text(),
            "source": text(),
            "note": nullable(text()),
        },
        "Where a value stands by the report of a year.",
    ),
)


def _metric(metric: Metric) -> Schema:
    figures, of_bucket = _FIGURES[metric]
    name = NAMES[metric]
    return component(
        f"{name[0].upper()}{name[1:]}",
        record(
            {
                **figures,
                **_MORE.get(metric, {}),
                "noData": nullable(text("Why there is no value.")),
                "comparison": _COMPARISON,
                "level": nullable(_LEVEL),
                "previous": record(figures, "The same of the period before, of the same length."),
                "series": list_of(record({"start": day("The first day of the bucket."), **of_bucket})),
            },
            f"{metric.label}.",
        ),
    )


_REPORT = component(
    "DoraMetrics",
    record(
        {
            "from": day(),
            "to": day(),
            "timezone": text(examples=["Europe/Berlin"]),
            "interval": choice(Interval),
            "environments": list_of(text()),
            "bots": choice(Bots),
            "recomputing": nullable(record({"done": _COUNT, "total": _COUNT}, "How far older days are recomputed.")),
            "daysLeftOut": list_of(record({"from": day(), "to": day(), "reason": text()})),
            **{NAMES[metric]: _metric(metric) for metric in Metric},
        },
        "DORA's five metrics. Rates are per day or 0 to 1, times in seconds; a value without data is null.",
    ),
)
_BOTH = "A date, included."
DORA = {
    "get": extend_schema(
        operation_id="getDoraMetrics",
        tags=[METRICS],
        summary="The DORA metrics of a period",
        description="All production environments unless some are named.",
        parameters=[
            ENVIRONMENT,
            APP,
            REPOSITORY,
            several("team", "Teams, by name."),
            several("author", "Who deployed, and whose changes."),
            query("from", day(), _BOTH),
            query("to", day(), _BOTH),
            query("period", choice(PRESETS), "So many days up to today, where neither `from` nor `to` is given."),
            query("interval", choice(Interval), "The length of a bucket; a day unless said otherwise."),
            query("bots", choice(Bots), "What becomes of changes by bots; set apart unless said otherwise."),
            query("format", choice(["json", "csv"]), "`csv` gives the series as CSV, as `Accept: text/csv` does."),
        ],
        responses={
            (200, "application/json"): answer(_REPORT, "The metrics."),
            (200, "text/csv"): answer(text("The series, a row for each bucket."), "The metrics."),
        },
    )
}
_PICTURE = {"image/svg+xml": {"schema": text()}}
PATHS["/badge/{token}.svg"] = {
    "get": {
        "operationId": "getBadge",
        "tags": [OTHERS],
        "summary": "A metric as a picture, for whoever has its link",
        "description": "Links are made under Settings → Badges. Whoever shows it may keep it for five minutes.",
        "security": [],
        "parameters": [
            {"name": "token", "in": "path", "required": True, "schema": text(minLength=1), "description": "Signed."},
            {"name": "If-None-Match", "in": "header", "schema": text(), "description": "The `ETag` of a former one."},
        ],
        "responses": {
            "200": {
                "description": "The picture.",
                "content": _PICTURE,
                "headers": {"ETag": {"schema": text(), "required": True}},
            },
            "304": {"description": "It is as it was."},
            "404": {"description": "A picture that says that the link is not valid.", "content": _PICTURE},
        },
    }
}
