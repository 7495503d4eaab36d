"""What Slipway knows, one module for each kind of thing."""

from deployments.models.catalog import Application, Environment, Repository, Track
from deployments.models.changes import Change, Commit, HistoryGap, MissingParent, ShippedCommit
from deployments.models.deployments import ChangeKind, Deployment, DeploymentState, DeploymentStatus
from deployments.models.jobs import Job, JobStatus, JobType, RefusedRequest
from deployments.models.throttling import RateLimitWindow
from deployments.models.workspaces import ApiKey, Membership, Scope, User, Workspace

__all__ = [
    "ApiKey",
    "Application",
    "Change",
    "ChangeKind",
    "Commit",
    "Deployment",
    "DeploymentState",
    "DeploymentStatus",
    "Environment",
    "HistoryGap",
    "Job",
    "JobStatus",
    "JobType",
    "Membership",
    "MissingParent",
    "RateLimitWindow",
    "RefusedRequest",
    "Repository",
    "Scope",
    "ShippedCommit",
    "Track",
    "User",
    "Workspace",
]
