"""Random histories: deployments, their changes, and what becomes of them later."""

import datetime as dt
import random
from typing import Any

from deployments.models import Change, Deployment, PullRequest, Team, TeamMember, Track, Workspace
from deployments.signals import tell_days_changed
from tests import factories

PEOPLE = ["Ada", "ada ", "Grace", "renovate[bot]", "ci-user", ""]
KINDS = ["baseline", "forward", "forward", "rollback", "redeploy", "diverged", "unknown", ""]


class RandomHistory:
    """A workspace whose deployments come and change at random, within some days around a moment."""

    def __init__(self, workspace: Workspace, seed: int, around: dt.datetime, days: int) -> None:
        self.workspace = workspace
        self.chance = random.Random(seed)
        self.around = around
        self.days = days
        self.tracks = [
            factories.make_track(workspace, app, environment, repository)
            for app, environment, repository in (
                ("api", "production", "acme/api"),
                ("api", "staging", "acme/api"),
                ("web", "production", "acme/web"),
                ("web", "prod-eu", "acme/web"),
                ("jobs", "production", "acme/web"),
            )
        ]
        for name, apps, people in (("Core", ["api"], ["Grace"]), ("Web", ["web"], ["ADA"]), ("Ops", [], ["Ada"])):
            team = Team.objects.create(workspace=workspace, name=name)
            team.applications.set({track.application for track in self.tracks if track.application.name in apps})
            for person in people:
                TeamMember.objects.create(team=team, name=person)

    def moment(self) -> dt.datetime:
        """Return a moment, often within minutes of where days begin somewhere."""
        day = self.around + dt.timedelta(days=self.chance.randrange(-self.days, self.days + 1))
        near = dt.timedelta(minutes=self.chance.choice([0, 30, 60, 90, 210, 600, 780, 1080, 1110, 1140, 1300]))
        return day + near + dt.timedelta(seconds=self.chance.choice([-1, 0, 1, self.chance.randrange(3600)]))

    def deploy(self) -> Deployment:
        """Report a deployment with changes."""
        chance = self.chance
        track: Track = chance.choice(self.tracks)
        state = chance.choice(["success", "success", "success", "failure", "in_progress"])
        moment = self.moment()
        has_failed = state == "failure" or (state == "success" and chance.random() < 0.3)
        deployment = factories.make_deployment(
            track,
            moment,
            state=state,
            author=chance.choice(PEOPLE),
            change_kind=chance.choice(KINDS),
            history_is_complete=chance.random() < 0.7,
            has_failed=has_failed,
            is_rework=chance.random() < 0.2,
            repaired_at=moment + dt.timedelta(seconds=chance.randrange(10**6))
            if has_failed and chance.random() < 0.6
            else None,
            archived_at=moment if chance.random() < 0.1 else None,
        )
        for _ in range(chance.randrange(4)):
            self.ship(deployment)
        return deployment

    def ship(self, deployment: Deployment) -> None:
        """Have a deployment bring one more change."""
        chance = self.chance
        lead = (
            None if chance.random() < 0.1 else dt.timedelta(seconds=chance.choice([0, 60, chance.randrange(10**7)]))
        )
        fields: dict[str, Any] = {"clock_was_ahead": chance.random() < 0.1}
        if chance.random() < 0.6:
            number = PullRequest.objects.count() + 1
            fields["pull_request"] = PullRequest.objects.create(
                repository=deployment.application.repository, number=number, author=chance.choice(PEOPLE),
                author_is_bot=chance.random() < 0.1, opened_at=factories.NOON, facts_at=factories.NOON,
            )  # fmt: skip
            for name in ("coding", "draft", "waiting_for_review", "review", "waiting_for_deployment"):
                fields[f"{name}_seconds"] = None if chance.random() < 0.05 else chance.randrange(1000)
        change = factories.make_change(deployment, lead, **fields)
        change.commit.author = chance.choice(PEOPLE)
        change.commit.save()
        tell_days_changed([deployment.place])

    def happen(self) -> None:
        """Let one thing happen to what there is."""
        rows = list(Deployment.objects.order_by("id"))
        if not rows:
            self.deploy()
            return
        row = self.chance.choice(rows)
        getattr(self, self.chance.choice(["_new", "_move", "_archive", "_fail", "_delete", "_lose", "_gain"]))(row)

    def _new(self, row: Deployment) -> None:
        self.deploy()

    def _move(self, row: Deployment) -> None:
        row.deployed_at = self.moment()
        row.save()

    def _archive(self, row: Deployment) -> None:
        row.archived_at = None if row.archived_at else row.deployed_at
        row.save(update_fields=["archived_at"])

    def _fail(self, row: Deployment) -> None:
        row.has_failed, row.repaired_at = not row.has_failed, None
        row.save(update_fields=["has_failed", "repaired_at"])

    def _delete(self, row: Deployment) -> None:
        if self.chance.random() < 0.5:
            row.delete()
        else:
            Deployment.objects.filter(pk=row.pk).delete()

    def _lose(self, row: Deployment) -> None:
        Change.objects.filter(deployment=row).delete()
        tell_days_changed([row.place])

    def _gain(self, row: Deployment) -> None:
        self.ship(row)
