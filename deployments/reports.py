"""What a report may say: the body of POST /v1/deployments, checked and turned into a DeploymentReport."""

import datetime
import re
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers

from deployments.commits import CommitReport
from deployments.models import DeploymentState
from deployments.models.deployments import REPORTABLE_STATES
from deployments.names import normalise_monorepo_path, normalise_sha
from deployments.recording import DeploymentReport

_EARLIEST = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# A message is kept up to here: enough for its subject and for what it reverts.
_MESSAGE_LENGTH = 4000
# Of ten thousand commits that are all wrong, so many are named.
_MAX_FAULTY_COMMITS = 40
_DATE_TIME = re.compile(
    r"\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d(:?\d\d([.,]\d{1,30})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.IGNORECASE
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_date_time(text: Any) -> datetime.datetime:
    """Return an ISO 8601 date-time with an offset, in UTC. Raises ValidationError otherwise."""
    if not isinstance(text, str) or not _DATE_TIME.fullmatch(text.strip()):
        raise serializers.ValidationError(
            "Must be an ISO 8601 date-time such as 2026-03-01T12:00:00Z.", code="invalid"
        )
    try:
        moment = datetime.datetime.fromisoformat(text.strip().upper().replace(",", "."))
    except ValueError as error:
        raise serializers.ValidationError("There is no such moment.", code="invalid") from error
    if moment.tzinfo is None:
        raise serializers.ValidationError("Must say its offset from UTC, such as Z or +02:00.", code="no_offset")
    try:
        return moment.astimezone(datetime.UTC)
    except OverflowError as error:
        raise serializers.ValidationError("Lies outside the calendar.", code="out_of_range") from error


class Text(serializers.CharField):
    """A text, and nothing else that could be written as one: a number or a boolean is refused."""

    default_error_messages = {"invalid": "Must be a text."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)


class WebAddress(Text):
    """An http(s) address, or nothing: what is shown as a link must not run a script."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text and not text.lower().startswith(("http://", "https://")):
            raise serializers.ValidationError("Must begin with http:// or https://.", code="invalid")
        return text


class DateTime(serializers.Field[Any, Any, Any, Any]):
    """The moment of a deployment: after 1970 and at most a little ahead of our clock."""

    def to_internal_value(self, data: Any) -> datetime.datetime:
        moment = parse_date_time(data)
        latest = timezone.now() + datetime.timedelta(seconds=settings.SLIPWAY_MAX_CLOCK_SKEW_SECONDS)
        if moment <= _EARLIEST:
            raise serializers.ValidationError("Must lie after 1970.", code="out_of_range")
        if moment > latest:
            raise serializers.ValidationError("Must not lie more than 10 minutes ahead.", code="out_of_range")
        return moment


class MonorepoPath(Text):
    """A directory inside the repository."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return normalise_monorepo_path(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(f"It {error}.", code="invalid") from error


class State(Text):
    """One of the states of a deployment."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text not in REPORTABLE_STATES:
            choices = ", ".join(REPORTABLE_STATES)
            raise serializers.ValidationError(f"Must be one of {choices}.", code="invalid_choice")
        return text


class Commits(serializers.Field[Any, Any, Any, Any]):
    """The commits that a CI clone knows. A plain loop: a list can have ten thousand of them."""

    def to_internal_value(self, data: Any) -> tuple[CommitReport, ...]:
        if not isinstance(data, list):
            raise serializers.ValidationError("Must be a list of commits.", code="not_a_list")
        commits, errors = [], {}
        for number, item in enumerate(data):
            faults: dict[str, list[serializers.ValidationError]] = {}
            commit = _commit(item, faults)
            if faults:
                errors[str(number)] = {
                    name: [detail for fault in found for detail in fault.detail] for name, found in faults.items()
                }
            elif commit:
                commits.append(commit)
            if len(errors) == _MAX_FAULTY_COMMITS:
                break
        if errors:
            raise serializers.ValidationError(errors)
        return tuple(commits)


Faults = dict[str, list[serializers.ValidationError]]


def _commit(item: Any, faults: Faults) -> CommitReport | None:
    if not isinstance(item, dict):
        faults["sha"] = [serializers.ValidationError("Each commit must be an object.", code="invalid")]
        return None
    return CommitReport(
        sha=_sha(item.get("sha"), "sha", faults),
        parents=_parents(item.get("parents"), faults),
        authored_at=_commit_time(item.get("authoredAt"), "authoredAt", faults),
        committed_at=_commit_time(item.get("committedAt"), "committedAt", faults),
        author=_text(item.get("author"), "author", faults)[:255],
        message=_text(item.get("message"), "message", faults)[:_MESSAGE_LENGTH],
        files=_files(item.get("files"), faults),
    )


def _fault(faults: Faults, name: str, message: str, code: str = "invalid") -> None:
    faults.setdefault(name, []).append(serializers.ValidationError(message, code=code))


def _sha(value: Any, name: str, faults: Faults) -> str:
    if value is None and name == "sha":
        _fault(faults, name, "This field is required.", "required")
    elif not isinstance(value, str) or _UNSTORABLE.search(value) or not re.fullmatch(r"\s*\S{1,70}\s*", value):
        _fault(faults, name, "Must be a commit hash of at most 70 characters.")
    else:
        return normalise_sha(value)
    return ""


def _parents(value: Any, faults: Faults) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        _fault(faults, "parents", "Must be a list of commit hashes.", "not_a_list")
        return None
    parents: dict[str, None] = {}
    for parent in value:
        parents[_sha(parent, "parents", faults)] = None
        if "parents" in faults:
            break
    return tuple(parents)


def _commit_time(value: Any, name: str, faults: Faults) -> datetime.datetime | None:
    if value is None:
        return None
    try:
        return parse_date_time(value)
    except serializers.ValidationError as error:
        faults.setdefault(name, []).append(error)
        return None


def _text(value: Any, name: str, faults: Faults) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        _fault(faults, name, "Must be a text.")
        return ""
    if _UNSTORABLE.search(value):
        _fault(faults, name, "Null characters and lone surrogates are not allowed.")
        return ""
    return value.strip()


def _files(value: Any, faults: Faults) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(file, str) for file in value):
        _fault(faults, "files", "Must be a list of paths.", "not_a_list")
        return None
    if any(_UNSTORABLE.search(file) for file in value):
        _fault(faults, "files", "Null characters and lone surrogates are not allowed.")
        return None
    return tuple(file for file in value if file)


class DeploymentReportSerializer(serializers.Serializer[DeploymentReport]):
    """The body of POST /v1/deployments. Unknown fields are ignored; null says the same as leaving a field out."""

    repositoryFullName = Text(max_length=255, help_text="`owner/name`; created if never heard of.")
    environment = Text(
        max_length=255, help_text="Created if never heard of; production by its name, until a person says otherwise."
    )
    app = Text(max_length=255, help_text="The application; one repository can have many.")
    version = Text(max_length=70)
    commitHash = Text(max_length=70, help_text="The full hash.")
    description = Text(max_length=255, required=False, allow_blank=True, allow_null=True)
    author = Text(max_length=255, required=False, allow_blank=True, allow_null=True)
    deployedAt = DateTime(
        required=False,
        allow_null=True,
        help_text="With an offset; after 1970 and at most 10 minutes ahead. Left out: now.",
    )
    monorepoPath = MonorepoPath(
        max_length=255,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="The directory the application is built from.",
    )
    state = State(required=False, allow_null=True, help_text="`success` unless said otherwise.")
    environmentUrl = WebAddress(
        max_length=2000, required=False, allow_blank=True, allow_null=True, help_text="An http(s) address."
    )
    logUrl = WebAddress(
        max_length=2000, required=False, allow_blank=True, allow_null=True, help_text="An http(s) address."
    )
    fixesVersion = Text(
        max_length=70,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="The version that this deployment repairs: its latest earlier deployment counts as failed.",
    )
    commits = Commits(
        required=False,
        allow_null=True,
        help_text="What the clone knows. Where none names its parents, they are one line, oldest first.",
    )

    def report(self) -> DeploymentReport:
        """Return what the valid body reports."""
        said = {name: value for name, value in self.validated_data.items() if value is not None}
        return DeploymentReport(
            repository=said["repositoryFullName"],
            app=said["app"],
            environment=said["environment"],
            version=said["version"],
            commit_sha=normalise_sha(said["commitHash"]),
            description=said.get("description", ""),
            author=said.get("author", ""),
            deployed_at=said.get("deployedAt"),
            monorepo_path=said.get("monorepoPath"),
            state=said.get("state", DeploymentState.SUCCESS),
            environment_url=said.get("environmentUrl", ""),
            log_url=said.get("logUrl", ""),
            fixes_version=said.get("fixesVersion", ""),
            commits=said.get("commits", ()),
        )


def read_report(body: Any) -> DeploymentReport:
    """Return the report that a body makes. Raises ValidationError that names every field at fault."""
    if not isinstance(body, dict):
        raise serializers.ValidationError({"body": ["Must be a JSON object."]}, code="invalid")
    serializer = DeploymentReportSerializer(data=body)
    serializer.is_valid(raise_exception=True)
    return serializer.report()
