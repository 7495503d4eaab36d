"""What Slipway knows, one module for each kind of thing."""

from deployments.models.catalog import Application, Environment, FormerName, Repository, Track
from deployments.models.changes import Change, Commit, HistoryGap, MissingParent, ShippedCommit
from deployments.models.deployments import ChangeKind, Deployment, DeploymentState, DeploymentStatus
from deployments.models.failures import FailureFinding, FailureRules, Overruling, RuleChange
from deployments.models.github import Backfill, DeploymentSecret, GithubConnection, GitRef, Push, Release
from deployments.models.incidents import Incident
from deployments.models.jobs import Job, JobStatus, JobType, RefusedRequest
from deployments.models.pull_requests import PullRequest, PullRequestCommit, PullRequestReview
from deployments.models.teams import FreezePeriod, Team, TeamMember
from deployments.models.throttling import RateLimitWindow
from deployments.models.triggers import DeploymentOrigin, DeploymentTrigger
from deployments.models.webhooks import DeliveryState, WebhookDelivery, WebhookEvent, WebhookSubscription
from deployments.models.workspaces import ApiKey, Membership, Scope, User, Workspace

__all__ = [
    "ApiKey",
    "Application",
    "Backfill",
    "Change",
    "ChangeKind",
    "Commit",
    "DeliveryState",
    "Deployment",
    "DeploymentOrigin",
    "DeploymentSecret",
    "DeploymentState",
    "DeploymentStatus",
    "DeploymentTrigger",
    "Environment",
    "FailureFinding",
    "FailureRules",
    "FormerName",
    "FreezePeriod",
    "GitRef",
    "GithubConnection",
    "HistoryGap",
    "Incident",
    "Job",
    "JobStatus",
    "JobType",
    "Membership",
    "MissingParent",
    "Overruling",
    "PullRequest",
    "PullRequestCommit",
    "PullRequestReview",
    "Push",
    "RateLimitWindow",
    "RefusedRequest",
    "Release",
    "Repository",
    "RuleChange",
    "Scope",
    "ShippedCommit",
    "Team",
    "TeamMember",
    "Track",
    "User",
    "WebhookDelivery",
    "WebhookEvent",
    "WebhookSubscription",
    "Workspace",
]
