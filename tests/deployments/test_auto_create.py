"""Repositories, applications and environments come into being with the first report that names them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from deployments.catalog import Catalog
from deployments.models import Application, Deployment, Environment, Job, Repository, Track, Workspace
from deployments.names import is_production_name, name_key
from deployments.processing import process_due_jobs
from tests.factories import make_key, make_workspace
from tests.machines import Machine


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["repositoryFullName", "app", "environment"])
def test_names_are_compared_without_regard_to_case_and_surrounding_space(ci: Machine, field: str) -> None:
    for name in ("Straße/Ärger", " STRASSE/ÄRGER ", "straße/ärger\n", "Strasse/A\u0308rger"):
        ci.deploy(**{field: name})

    assert Repository.objects.count() == Application.objects.count() == Environment.objects.count() == 1
    assert Deployment.objects.count() == 4
    shown = ci.get("/v1/deployments").json()["results"]
    key = {"repositoryFullName": "repositoryFullName", "app": "app", "environment": "environment"}[field]
    assert {row[key] for row in shown} == {"Straße/Ärger"}  # as first written


@pytest.mark.django_db
def test_the_same_application_name_in_another_repository_is_another_application(ci: Machine) -> None:
    ci.deploy(repositoryFullName="acme/a")
    ci.deploy(repositoryFullName="acme/b")

    assert Application.objects.count() == 2
    assert Environment.objects.count() == 1


@pytest.mark.django_db
def test_each_workspace_has_its_own(ci: Machine) -> None:
    ci.deploy()
    Machine(make_key(make_workspace("Globex"))).deploy()

    assert Repository.objects.count() == Environment.objects.count() == 2


@pytest.mark.parametrize(
    "name",
    [
        "production", "Production", "PRODUCTION", " production ", "prod", "prd", "live", "PROD",
        "production-eu", "eu-prod", "prod-1", "prod1", "prod_us_east_1", "us/prod", "prod.eu", "eu prod",
        "prodEu", "euProd", "Live (EU)", "aws:prod", "production2", "customer-live",
    ],
)  # fmt: skip
def test_spellings_of_production(name: str) -> None:
    assert is_production_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "pre-production", "preproduction", "pre-prod", "preprod", "pre_prod", "PreProd", "preProd", "non-prod",
        "nonprod", "NonProd", "not-production", "prod-like", "staging", "development", "test", "qa", "uat",
        "product", "products", "reproduction", "delivery", "alive", "livestream", "prod-test", "staging-live",
        "dev-prod-mirror", "", "eu", "prodding",
    ],
)  # fmt: skip
def test_spellings_of_anything_else(name: str) -> None:
    assert not is_production_name(name)


@pytest.mark.django_db
def test_a_person_can_say_otherwise_and_it_stays(ci: Machine) -> None:
    ci.deploy(environment="production")
    ci.deploy(environment="staging")
    for environment in Environment.objects.all():
        environment.is_production = not environment.is_production
        environment.save()
    ci.deploy(environment="Production")
    ci.deploy(environment="Staging")

    kinds = dict(Environment.objects.values_list("name", "is_production"))
    assert kinds == {"production": False, "staging": True}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["ΐ" * 255, "İ" * 255, "ﬃ" * 255, "ẞ" * 255, "🚀" * 255, "\u0958" * 255])
def test_names_that_grow_when_they_are_compared_fit(ci: Machine, name: str) -> None:
    ci.deploy(app=name, environment=name, repositoryFullName=name)
    ci.deploy(app=name.upper()[:255], environment=name)

    assert Deployment.objects.filter(application__name=name).exists()


def test_comparing_a_name_twice_changes_nothing() -> None:
    for name in ("Straße", "İstanbul", "ﬃ", "ΐ", "A\u0308", "\u1fb3", "ǰ"):
        assert name_key(name_key(name)) == name_key(name)
        assert name_key(name) == name_key(name.casefold())


@pytest.mark.django_db(transaction=True)
def test_threads_that_create_the_same_at_once_create_it_once(workspace: Workspace) -> None:
    threads = 8
    together = Barrier(threads)

    def create(number: int) -> set[int]:
        together.wait()
        found = set()
        for turn in range(5):
            catalog = Catalog(workspace)
            name = f"Name {turn}" if number % 2 else f"name {turn}"
            application = catalog.application(catalog.repository(name), name)
            found.add(catalog.track(application, catalog.environment(name)).pk)
        connection.close()
        return found

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(create, range(threads)))

    assert all(tracks == found[0] for tracks in found)
    for model in (Repository, Application, Environment, Track):
        assert model.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_workers_that_meet_the_same_new_names_at_once_lose_nothing(ci: Machine) -> None:
    workers = 4
    for number in range(40):
        # In another order each time, so that workers wait for one another crosswise.
        app = f"app-{(number * 7) % 5}"
        ci.report(app=app, repositoryFullName=f"acme/{app}", environment=f"env {number % 3}", version=f"v{number}")
    together = Barrier(workers)

    def work(_: int) -> None:
        together.wait()
        while Job.objects.filter(status__in=["QUEUED", "RUNNING"], attempt=0).exists():
            process_due_jobs()
        connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))

    assert set(Job.objects.values_list("status", "attempt")) == {("COMPLETE", 0)}
    assert Deployment.objects.count() == 40
    assert Application.objects.count() == 5
    assert Environment.objects.count() == 3


@pytest.mark.django_db
def test_the_path_of_an_application_is_that_of_its_latest_deployment(ci: Machine) -> None:
    for hour, (environment, path) in enumerate([("staging", "a"), ("production", "b"), ("staging", "a")]):
        ci.report(environment=environment, monorepoPath=path, deployedAt=f"2026-03-01T{hour:02}:00:00Z")
    process_due_jobs()  # all in one batch

    assert Application.objects.get().monorepo_path == "a"
