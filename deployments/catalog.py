"""Finds repositories, applications, environments and tracks by name, and creates those never heard of."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from deployments.models import Application, Deployment, Environment, FormerName, Repository, Track, Workspace
from deployments.names import name_key


class Catalog:
    """The names of one workspace, remembered while a batch of jobs is recorded.

    Two workers may create the same thing at once: the constraints let one of them win, and `get_or_create` has
    the other one find it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._repositories: dict[str, Repository] = {}
        self._applications: dict[tuple[int, str], Application] = {}
        self._environments: dict[str, Environment] = {}
        self._tracks: dict[tuple[int, int], Track] = {}
        # By id of a track: whether GitHub, or an import, tells of its deployments too.
        self.told_elsewhere: dict[int, bool] = {}

    def repository(self, full_name: str) -> Repository:
        """Return the repository of this name, as it was first written."""
        key = name_key(full_name)
        if key not in self._repositories:
            known = repository_named(self.workspace, full_name)
            self._repositories[key] = known or self._new_repository(key, full_name)
        return self._repositories[key]

    def forget_repositories(self) -> None:
        """Look names up again: a repository was renamed or merged with another."""
        self._repositories.clear()
        self._applications.clear()
        self._tracks.clear()
        self.told_elsewhere.clear()

    def _new_repository(self, key: str, full_name: str) -> Repository:
        return Repository.objects.get_or_create(
            workspace=self.workspace, full_name_key=key, defaults={"full_name": full_name.strip()}
        )[0]

    def application(self, repository: Repository, name: str) -> Application:
        """Return the repository's application of this name."""
        key = (repository.pk, name_key(name))
        if key not in self._applications:
            self._applications[key], _ = Application.objects.get_or_create(
                repository=repository,
                name_key=key[1],
                defaults={"workspace": self.workspace, "name": name.strip()},
            )
        return self._applications[key]

    def default_application(self, repository: Repository, short_name: str) -> Application:
        """Return the application that is called like the repository, and goes on to be when that is renamed."""
        default = repository.applications.filter(is_default=True).first()
        if default is None:
            default = self.application(repository, short_name)
            default.is_default = True
            default.save(update_fields=["is_default"])
        return default

    def environment(self, name: str) -> Environment:
        """Return the environment of this name; a new one is production where its name says so."""
        key = name_key(name)
        if key not in self._environments:
            self._environments[key], _ = Environment.objects.get_or_create(
                workspace=self.workspace, name_key=key, defaults={"name": name.strip()}
            )
        return self._environments[key]

    def mark_as_production(self, environment: Environment) -> None:
        """Take an environment for production because a deployment says so, unless a person chose otherwise."""
        if not environment.is_production and not environment.is_production_is_pinned:
            environment.is_production = True
            environment.save(update_fields=["is_production"])

    def track(self, application: Application, environment: Environment) -> Track:
        """Return the line of this application's deployments to this environment."""
        key = (application.pk, environment.pk)
        if key not in self._tracks:
            track, _ = Track.objects.get_or_create(application=application, environment=environment)
            track.application, track.environment = application, environment  # one instance of each in a batch
            self._tracks[key] = track
        return self._tracks[key]


def set_monorepo_path(application: Application, path: str, *, pinned: bool) -> None:
    """Change the directory an application is built from; its tracks are worked out anew."""
    if (application.monorepo_path, application.monorepo_path_is_pinned) == (path, pinned):
        return
    application.monorepo_path = path
    application.monorepo_path_is_pinned = pinned
    application.save(update_fields=["monorepo_path", "monorepo_path_is_pinned"])
    tracks: QuerySet[Track] = application.tracks.all()
    tracks.update(rebuild_pending=True)


def applications_named(workspace: Workspace, name: str, repository: str = "") -> QuerySet[Application]:
    """Return the known applications of a name, of all repositories or of one by its present or a former name."""
    rows = Application.objects.filter(workspace=workspace, name_key=name_key(name)).select_related("repository")
    if not repository:
        return rows
    key = name_key(repository)
    of_name = Repository.objects.filter(workspace=workspace).filter(
        Q(full_name_key=key) | Q(former_names__full_name_key=key)
    )
    return rows.filter(repository__in=of_name)


def repository_named(workspace: Workspace, full_name: str) -> Repository | None:
    """Return the repository of a name, or the one that had it before it was renamed."""
    key = name_key(full_name)
    named = Repository.objects.filter(workspace=workspace, full_name_key=key).first()
    if named is not None:
        return named
    former = FormerName.objects.filter(workspace=workspace, full_name_key=key).select_related("repository")
    return next((name.repository for name in former), None)


def environments_of(repository: Repository) -> QuerySet[Environment]:
    """Return the environments that a repository has been deployed to, but for those that a client deleted since."""
    later = Deployment.objects.filter(track=OuterRef("pk"), created_at__gt=OuterRef("environment_deleted_at"))
    tracks = Track.objects.of_repository(repository).filter(Q(environment_deleted_at=None) | Exists(later))
    return Environment.objects.filter(pk__in=tracks.values("environment")).order_by("name_key")


def environment_named(workspace: Workspace, name: str) -> Environment | None:
    """Return the environment of a name, if it is known."""
    return Environment.objects.filter(workspace=workspace, name_key=name_key(name)).first()
