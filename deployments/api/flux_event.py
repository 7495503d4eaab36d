"""Reads an event of Flux's notification controller as a report of a deployment.

https://fluxcd.io/flux/components/notification/events/ has its shape. Its `metadata` is what the controllers say of a
revision, together with what people write into `eventMetadata` of an Alert and into annotations of an object: the
fields of POST /v1/deployments.
"""

import re
from typing import Any

from deployments.jobs import storable
from deployments.models import DeploymentState

# What a Kustomization or HelmRelease says when it has brought what it was to bring. A release that was rolled back
# by Helm is none: the failure was told, and the annotations name what failed.
_SUCCEEDED = {"ReconciliationSucceeded", "InstallSucceeded", "UpgradeSucceeded"}
_HEALTHY = "Health check passed"
_APPLYING = "Progressing"
_FIELDS = (
    "repositoryFullName", "environment", "app", "version", "commitHash", "description", "author", "monorepoPath",
    "fixesVersion", "environmentUrl", "logUrl",
)  # fmt: skip
# `main@sha1:…`, `refs/tags/v1.4.2@sha1:…`, `sha1:…`; and `main/…` of versions before 2.0.
_GIT_REVISION = re.compile(r"(?:(?P<ref>.+)(?:@sha1:|/)|sha1:)(?P<sha>[0-9a-f]{40})")
_VERSION = re.compile(r"[vV]?\d+(\.\d+)+([-+.].*)?")
_DESCRIPTION_LENGTH = 255


def read_event(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return the body of POST /v1/deployments that an event stands for; None where it is not about a deployment."""
    metadata = _metadata(event)
    revision = _text(metadata.get("originRevision")) or _text(metadata.get("revision"))
    state = _state(event)
    if state is None or not revision:
        return None
    version, sha = read_revision(revision)
    derived = {
        "app": _part(event, "involvedObject").get("name"),
        "version": version,
        "commitHash": sha,
        "description": storable(_text(event.get("message")))[:_DESCRIPTION_LENGTH],
    }
    told = {name: metadata[name] for name in _FIELDS if metadata.get(name)}
    return {**{name: value for name, value in derived.items() if value}, **told, "state": state}


def read_revision(revision: str) -> tuple[str, str]:
    """Return the version and the commit that a revision names. A chart's version names no commit."""
    found = _GIT_REVISION.fullmatch(revision)
    if found is None:
        return revision, ""
    ref, sha = found["ref"] or "", found["sha"]
    name = ref.removeprefix("refs/tags/")
    return (name if name != ref or _VERSION.fullmatch(name) else sha[:12]), sha


def _state(event: dict[str, Any]) -> str | None:
    """Return what an event says of the state of a deployment, or None where it says nothing of it."""
    kind, reason = _part(event, "involvedObject").get("kind"), _text(event.get("reason"))
    if kind not in ("Kustomization", "HelmRelease"):
        return None
    if event.get("severity") == "error":
        return DeploymentState.FAILURE
    if reason in _SUCCEEDED or _text(event.get("message")).startswith(_HEALTHY):
        return DeploymentState.SUCCESS
    return DeploymentState.IN_PROGRESS if kind == "Kustomization" and reason == _APPLYING else None


def _metadata(event: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata without the prefixes that older controllers leave, as `kustomize.toolkit.fluxcd.io/`."""
    return {str(name).rpartition("/")[2]: value for name, value in _part(event, "metadata").items()}


def _part(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
