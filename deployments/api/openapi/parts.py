"""What operations are described with: parameters, bodies and answers in few words."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse

from deployments.api.openapi.json_schema import Schema, integer, list_of, text

TAGS = REPORTING, READING, INCIDENTS, METRICS, JOBS, WEBHOOKS, OTHERS = (
    "Reporting",
    "Reading",
    "Incidents",
    "Metrics",
    "Jobs",
    "Webhooks",
    "Without a key",
)
NOTHING = OpenApiResponse(description="Done.")
_DATE = "A date in the workspace's time zone, or a date-time with an offset."


def query(name: str, schema: Schema, description: str = "") -> OpenApiParameter:
    """Return a parameter of the query string."""
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


def several(name: str, description: str, items: Schema | None = None) -> OpenApiParameter:
    """Return a parameter that may be given several times."""
    return query(name, list_of(items or text()), f"{description} Several times if wanted.")


def header(name: str, schema: Schema, description: str) -> OpenApiParameter:
    """Return a header of the request."""
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


def answer_header(name: str, schema: Schema, description: str, *statuses: int) -> OpenApiParameter:
    """Return a header that answers of these statuses always have."""
    return OpenApiParameter(
        name,
        schema,
        OpenApiParameter.HEADER,
        required=True,
        description=description,
        response=[str(status) for status in statuses],
    )


def json(schema: Any, *examples: OpenApiExample) -> dict[str, OpenApiRequest]:
    """Return a body of JSON."""
    return {"application/json": OpenApiRequest(schema, examples=list(examples))}


def answer(schema: Any, description: str, *examples: OpenApiExample) -> OpenApiResponse:
    """Return an answer."""
    return OpenApiResponse(schema, description=description, examples=list(examples))


def sent(name: str, value: Any) -> OpenApiExample:
    """Return an example of a body that is sent."""
    return OpenApiExample(name, value=value, request_only=True)


def answered(name: str, value: Any) -> OpenApiExample:
    """Return an example of an answer."""
    return OpenApiExample(name, value=value, response_only=True)


APP = several("app", "Applications, by name.")
ENVIRONMENT = several("environment", "Environments, by name.")
REPOSITORY = several("repository", "Repositories, as `owner/name`.")
FROM = query("from", text(), f"From here on. {_DATE}")
TO = query("to", text(), f"Up to here; a date is included. {_DATE}")
CURSOR = query("cursor", text(), "Where a page begins; `next` of the page before has it.")
LIMIT = query("limit", integer(minimum=1, default=50), "How many a page has at most; 200 is the most.")
