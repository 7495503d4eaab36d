"""What the body of a request may say of an incident, checked and turned into facts."""

from typing import Any

from rest_framework import serializers

from deployments.catalog import applications_named, environment_named
from deployments.incidents import AUTOMATIC, DECIDED_BY_ISSUE, Cause, Facts
from deployments.models import Application, Deployment, Environment, Incident, Workspace
from deployments.reports import DateTime, Text, WebAddress, parse_date_time

_FACTS = {
    "title": "title",
    "url": "url",
    "startedAt": "started_at",
    "resolvedAt": "resolved_at",
    "app": "application",
    "environment": "environment",
    "causeDeployment": "cause",
}
_SEVERAL = "There are several of this name, in {names}: say in which “repository”."


class _App(Text):
    """An application that is known, told apart by `repository` where several have the name."""

    def run_validation(self, data: Any = serializers.empty) -> Application | None:
        name = super().run_validation(data)
        if name is None:
            return None
        repository = self.parent.initial_data.get("repository")
        repository = repository.strip() if isinstance(repository, str) else ""
        found = list(applications_named(self.context["workspace"], name, repository)[:10])
        if len(found) > 1:
            names = ", ".join(sorted(application.repository.full_name for application in found))
            raise serializers.ValidationError(_SEVERAL.format(names=names), code="ambiguous")
        if not found:
            where = f" built from “{repository}”" if repository else ""
            raise serializers.ValidationError(
                f"There is no application “{name}”{where}: one appears with its first deployment.",
                code="does_not_exist",
            )
        return found[0]


class _Environment(Text):
    """An environment that is known."""

    def run_validation(self, data: Any = serializers.empty) -> Environment | None:
        name = super().run_validation(data)
        found = environment_named(self.context["workspace"], name) if name is not None else None
        if found is None and name is not None:
            raise serializers.ValidationError(
                f"There is no environment “{name}”: one appears with its first deployment.", code="does_not_exist"
            )
        return found


class _CauseDeployment(serializers.Field[Any, Any, Any, Any]):
    """The id of a deployment, “none” where none is to blame, or “auto” where the rules shall find it."""

    def to_internal_value(self, data: Any) -> Cause:
        if data == "auto":
            return AUTOMATIC
        if data == "none":
            return None
        if not _is_id(data):
            raise serializers.ValidationError("Must be the id of a deployment, “auto” or “none”.", code="invalid")
        rows = Deployment.objects.select_related("application__repository", "environment")
        found = rows.filter(workspace=self.context["workspace"], pk=data).first() if 0 < data < 2**63 else None
        if found is None:
            raise serializers.ValidationError(f"There is no deployment {str(data)[:20]}.", code="does_not_exist")
        return found


def _is_id(data: Any) -> bool:
    return isinstance(data, int) and not isinstance(data, bool)


class IncidentReportSerializer(serializers.Serializer[Incident]):
    """The body of a request. Unknown fields are ignored, so that what GET answered can be sent back."""

    title = Text(max_length=500)
    app = _App(
        max_length=255, required=False, allow_null=True, help_text="A known application; left out, it is the cause's."
    )
    repository = Text(
        max_length=255,
        required=False,
        allow_null=True,
        help_text="`owner/name`, where several repositories have an application of that name.",
    )
    environment = _Environment(
        max_length=255, required=False, allow_null=True, help_text="A known environment; left out, it is the cause's."
    )
    startedAt = DateTime(help_text="With an offset; after 1970 and at most 10 minutes ahead.")
    resolvedAt = DateTime(required=False, allow_null=True, help_text="Left out: still open.")
    causeDeployment = _CauseDeployment(
        required=False,
        allow_null=True,
        help_text="The id of a deployment, `none`, or `auto`, which leaves it to the rules.",
    )
    url = WebAddress(
        max_length=2000,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="An http(s) address where more is written.",
    )
    externalId = Text(
        max_length=100, required=False, allow_null=True, help_text="The same id again is the same incident."
    )

    def to_internal_value(self, data: Any) -> Any:
        """Check all fields, so that whatever is wrong is told at once."""
        errors: dict[str, Any] = {}
        values: Any = {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]
        errors = {**_order(data), **self._missing(data), **self._decided_by_issue(data), **errors}
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def _missing(self, data: Any) -> dict[str, Any]:
        """Return what is wrong with the place: the cause tells it, else the body has to."""
        required: tuple[str, ...] = ()
        if not self.partial and not _is_id(data.get("causeDeployment")):
            required = ("app", "environment")
        elif data.get("repository") and data.get("app") is None:
            required = ("app",)
        return {name: [_required()] for name in required if data.get(name) is None}

    def _decided_by_issue(self, data: Any) -> dict[str, Any]:
        if self.instance is None or self.instance.source != Incident.Source.GITHUB:
            return {}
        decided = [name for name, fact in _FACTS.items() if fact in DECIDED_BY_ISSUE and name in data]
        error = serializers.ErrorDetail("The GitHub issue decides this.", code="decided_by_issue")
        return {name: [error] for name in decided}


def _order(data: Any) -> dict[str, Any]:
    """Return what is wrong with an end that lies before the beginning, where the body has both."""
    try:
        started_at, resolved_at = parse_date_time(data.get("startedAt")), parse_date_time(data.get("resolvedAt"))
    except serializers.ValidationError:
        return {}
    return {"resolvedAt": ends_before_it_began().detail} if resolved_at < started_at else {}


def _required() -> Any:
    return serializers.ErrorDetail("This field is required.", code="required")


def ends_before_it_began() -> serializers.ValidationError:
    """Return what answers an end that lies before the beginning."""
    return serializers.ValidationError("Must not lie before startedAt.", code="out_of_range")


def read_new_incident(body: Any, workspace: Workspace) -> tuple[str, Facts]:
    """Return the external id, or nothing, and the facts of a body that opens an incident.

    `null` says the same as leaving a field out. Raises ValidationError that names every field at fault.
    """
    values = _validated(body, workspace, None)
    said = {name: value for name, value in values.items() if value is not None or body[name] is not None}
    return said.get("externalId", ""), _facts(said)


def read_changes(body: Any, workspace: Workspace, incident: Incident) -> Facts:
    """Return the facts of a body that changes an incident; `null` takes away. Raises ValidationError."""
    values = _validated(body, workspace, incident)
    if "url" in values:
        values["url"] = values["url"] or ""
    return _facts(values)


def _validated(body: Any, workspace: Workspace, incident: Incident | None) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise serializers.ValidationError({"body": ["Must be a JSON object."]}, code="invalid")
    serializer = IncidentReportSerializer(
        incident, data=body, partial=incident is not None, context={"workspace": workspace}
    )
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _facts(values: dict[str, Any]) -> Facts:
    facts: Any = {_FACTS[name]: value for name, value in values.items() if name in _FACTS}
    return facts  # type: ignore[no-any-return]
