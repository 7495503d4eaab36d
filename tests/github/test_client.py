"""The client of GitHub's API, against a server that speaks as GitHub does."""

import datetime as dt
import logging
import pickle
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deployments.github.answers import GithubError, NotAllowed, NotFound, RateLimited, Unavailable
from deployments.github.client import AppAuth, GithubClient, TokenAuth
from tests.github.fake_github import TOKEN, FakeGithub, FakeRepository, make_commit, make_key, make_line, make_sha

SHOP = "acme/shop"
Make = Callable[..., GithubClient]


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def github() -> Iterator[FakeGithub]:
    with FakeGithub() as server:
        server.repositories[SHOP] = FakeRepository()
        yield server


@pytest.fixture
def shop(github: FakeGithub) -> FakeRepository:
    return github.repositories[SHOP]


@pytest.fixture
def elsewhere() -> Iterator[FakeGithub]:
    """Another host, by its port."""
    with FakeGithub() as server:
        server.repositories[SHOP] = FakeRepository()
        yield server


@pytest.fixture
def waits() -> list[float]:
    """How long the client would have waited, in seconds."""
    return []


@pytest.fixture
def make_client(github: FakeGithub, waits: list[float]) -> Iterator[Make]:
    made: list[GithubClient] = []

    def make(auth: TokenAuth | AppAuth | None = None, **options: Any) -> GithubClient:
        made.append(GithubClient(github.base_url, auth or TokenAuth(TOKEN), **{"wait": waits.append, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Make) -> GithubClient:
    return make_client()


@pytest.fixture
def client_in(make_client: Make, tmp_path: Path) -> Make:
    """Make clients, each of them new, that keep answers in one directory."""
    return lambda *auth, **options: make_client(*auth, cache_dir=tmp_path / "cache", **options)


def flat(pages: Iterator[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for page in pages for row in page]


def etags_of(github: FakeGithub) -> list[str | None]:
    """Return the ETag that each request was made with."""
    return [request.headers.get("If-None-Match") for request in github.requests]


# What is asked for


def test_it_says_who_asks_and_for_what(client: GithubClient, github: FakeGithub) -> None:
    assert client.get("/repos/acme/shop")["full_name"] == SHOP

    headers = github.requests[0].headers
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Accept"] == "application/vnd.github+json"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["User-Agent"] == "Slipway"


def test_a_slash_at_the_end_of_the_address_does_not_matter(github: FakeGithub) -> None:
    with GithubClient(f"{github.base_url}/", TokenAuth(TOKEN)) as client:
        client.get("/repos/acme/shop")

    assert github.asked() == ["/repos/acme/shop"]


@pytest.mark.parametrize("address", ["", "api.github.com", "ftp://ghe.example/api/v3", "https://me:pw@ghe.example"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        GithubClient(address, TokenAuth(TOKEN))


def test_a_netrc_file_does_not_replace_the_token(
    client: GithubClient, github: FakeGithub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    client.get("/repos/acme/shop")

    assert github.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("name", ["shop", "acme/", "/shop", "../shop", "acme/..", ""])
def test_a_name_that_no_repository_has_is_not_asked_for(client: GithubClient, github: FakeGithub, name: str) -> None:
    with pytest.raises(NotFound):
        client.pull_request(name, 1)

    assert github.requests == []


def test_names_are_quoted(client: GithubClient, github: FakeGithub, shop: FakeRepository) -> None:
    shop.commits = make_line(2)
    shop.branches = {"feature/ä b?": make_sha(1)}

    assert client.commit(SHOP, "feature/ä b?")["sha"] == make_sha(1)
    assert len(flat(client.compare(SHOP, make_sha(0), "feature/ä b?"))) == 1
    assert github.asked()[0] == "/repos/acme/shop/commits/feature%2F%C3%A4%20b%3F"


# Pages


def test_all_pages_are_read(client: GithubClient, github: FakeGithub, shop: FakeRepository) -> None:
    shop.deployments = [{"id": number, "created_at": "2026-01-01T00:00:00Z"} for number in range(250)]

    pages = list(client.deployments(SHOP))

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [row["id"] for page in pages for row in page] == list(range(249, -1, -1))
    path = "/repos/acme/shop/deployments?per_page=100"
    assert github.asked() == [path, f"{path}&page=2", f"{path}&page=3"]


def test_pages_are_asked_for_when_they_are_read(
    client: GithubClient, github: FakeGithub, shop: FakeRepository
) -> None:
    shop.releases = [{"id": number} for number in range(250)]

    next(client.releases(SHOP))

    assert len(github.requests) == 1


def test_parameters_are_kept_from_page_to_page(
    client: GithubClient, github: FakeGithub, shop: FakeRepository
) -> None:
    shop.pulls = {
        number: {"number": number, "state": "closed", "updated_at": f"2026-01-01T00:{number % 60:02}:00Z"}
        for number in range(1, 121)
    }
    shop.pulls[500] = {"number": 500, "state": "open", "updated_at": "2026-02-01T00:00:00Z"}

    found = flat(client.pull_requests(SHOP))

    assert len(found) == 120
    assert [row["updated_at"] for row in found] == sorted((row["updated_at"] for row in found), reverse=True)
    assert all("state=closed&sort=updated&direction=desc" in path for path in github.asked())


def test_a_list_that_is_wrapped_with_its_count_is_read(client: GithubClient, shop: FakeRepository) -> None:
    shop.workflow_runs = [{"id": number} for number in range(130)]

    pages = list(client.pages("/repos/acme/shop/actions/runs"))

    assert [len(page) for page in pages] == [100, 30]


def test_no_rows_are_one_empty_page(client: GithubClient) -> None:
    assert list(client.deployments(SHOP)) == [[]]


def test_an_object_without_a_list_is_no_page(client: GithubClient) -> None:
    with pytest.raises(Unavailable, match="no list"):
        list(client.pages("/repos/acme/shop"))


def test_a_parameter_may_have_the_name_of_an_argument(client: GithubClient, github: FakeGithub) -> None:
    list(client.pages("/repos/acme/shop/commits", path="src"))

    assert github.asked() == ["/repos/acme/shop/commits?per_page=100&path=src"]


# What GitHub has


def test_a_comparison_has_all_its_commits(client: GithubClient, shop: FakeRepository) -> None:
    shop.commits = make_line(360)

    pages = list(client.compare(SHOP, make_sha(9), make_sha(359)))

    assert [len(page) for page in pages] == [100, 100, 100, 50]
    assert [row["sha"] for page in pages for row in page] == [make_sha(number) for number in range(10, 360)]


def test_a_comparison_has_what_the_head_has_and_the_base_has_not(client: GithubClient, shop: FakeRepository) -> None:
    shop.commits = [
        make_commit("a" * 40),
        make_commit("b" * 40, ["a" * 40]),
        make_commit("c" * 40, ["a" * 40]),
        make_commit("d" * 40, ["b" * 40, "c" * 40]),
    ]

    assert [row["sha"][0] for row in flat(client.compare(SHOP, "b" * 40, "d" * 40))] == ["c", "d"]
    assert flat(client.compare(SHOP, "d" * 40, "b" * 40)) == []


def test_what_has_nothing_in_common_is_not_compared(client: GithubClient, shop: FakeRepository) -> None:
    shop.commits = [make_commit("a" * 40), make_commit("b" * 40)]

    with pytest.raises(NotFound, match="No common ancestor"):
        flat(client.compare(SHOP, "a" * 40, "b" * 40))


@pytest.mark.parametrize(("number", "listed", "requests"), [(0, 0, 1), (700, 700, 3), (3200, 3000, 10)])
def test_a_commit_has_all_the_files_that_github_lists(
    client: GithubClient, github: FakeGithub, shop: FakeRepository, number: int, listed: int, requests: int
) -> None:
    shop.commits = [make_commit("a" * 40, message="Many", files=[f"src/{n}" for n in range(number)])]

    commit = client.commit(SHOP, "a" * 40)

    assert [row["filename"] for row in commit["files"]] == [f"src/{n}" for n in range(listed)]
    assert commit["commit"]["message"] == "Many"
    assert len(github.requests) == requests


def test_a_commit_that_is_not_there_is_not_found(client: GithubClient) -> None:
    with pytest.raises(NotFound, match="No commit found") as caught:
        client.commit(SHOP, "f" * 40)

    assert caught.value.status == 422


def test_a_pull_request_has_commits_and_reviews(client: GithubClient, shop: FakeRepository) -> None:
    shop.pulls = {7: {"number": 7, "title": "Pay by card"}}
    shop.pull_commits = {7: make_line(130)}
    shop.reviews = {7: [{"id": 1, "state": "APPROVED"}]}

    assert client.pull_request(SHOP, 7)["title"] == "Pay by card"
    assert [row["sha"] for row in client.pull_request_commits(SHOP, 7)] == [make_sha(n) for n in range(130)]
    assert client.pull_request_reviews(SHOP, 7) == [{"id": 1, "state": "APPROVED"}]


def test_a_deployment_has_statuses(client: GithubClient, shop: FakeRepository) -> None:
    shop.deployments = [{"id": 2**40}]
    shop.statuses = {2**40: [{"id": 1, "state": "queued"}, {"id": 2, "state": "success"}]}

    assert [row["state"] for row in flat(client.deployment_statuses(SHOP, 2**40))] == ["success", "queued"]


def test_a_tag_names_a_commit(client: GithubClient, shop: FakeRepository) -> None:
    shop.tags = {"light": "a" * 40, "releases/annotated": "1" * 40, "nested": "2" * 40, "of-a-tree": "3" * 40}
    shop.annotated_tags = {
        "1" * 40: {"type": "commit", "sha": "b" * 40},
        "2" * 40: {"type": "tag", "sha": "1" * 40},
        "3" * 40: {"type": "tree", "sha": "c" * 40},
    }

    assert client.tag_commit(SHOP, "light") == "a" * 40
    assert client.tag_commit(SHOP, "releases/annotated") == "b" * 40
    assert client.tag_commit(SHOP, "nested") == "b" * 40
    assert client.tag_commit(SHOP, "of-a-tree") is None
    assert client.tag_commit(SHOP, "no-such-tag") is None


def test_tags_that_name_each_other_name_no_commit(client: GithubClient, shop: FakeRepository) -> None:
    shop.tags = {"odd": "1" * 40}
    shop.annotated_tags = {"1" * 40: {"type": "tag", "sha": "1" * 40}}

    assert client.tag_commit(SHOP, "odd") is None


# Conditional requests


def test_what_has_not_changed_costs_nothing(client_in: Make, github: FakeGithub) -> None:
    first = client_in().get("/repos/acme/shop")
    remaining = github.remaining

    again = client_in().get("/repos/acme/shop")

    assert again == first
    assert etags_of(github)[0] is None
    assert etags_of(github)[1] is not None
    assert github.remaining == remaining


def test_what_has_changed_is_read_at_once(client_in: Make, shop: FakeRepository) -> None:
    client = client_in()
    shop.pulls = {1: {"number": 1, "title": "Old"}}
    assert client.pull_request(SHOP, 1)["title"] == "Old"

    shop.pulls[1]["title"] = "New"

    assert client.pull_request(SHOP, 1)["title"] == "New"
    shop.pulls[1]["title"] = "Newer"
    assert client_in().pull_request(SHOP, 1)["title"] == "Newer"


def test_pages_that_have_not_changed_lead_on(client_in: Make, github: FakeGithub, shop: FakeRepository) -> None:
    shop.releases = [{"id": number} for number in range(250)]
    first = flat(client_in().releases(SHOP))
    remaining = github.remaining

    assert flat(client_in().releases(SHOP)) == first
    assert len(github.requests) == 6
    assert github.remaining == remaining


def test_answers_to_different_tokens_are_kept_apart(client_in: Make, github: FakeGithub) -> None:
    github.tokens.add("ghp_other")

    client_in().get("/repos/acme/shop")
    client_in(TokenAuth("ghp_other")).get("/repos/acme/shop")

    assert etags_of(github) == [None, None]


def test_no_token_is_kept_with_the_answers(client_in: Make, tmp_path: Path) -> None:
    client_in().get("/repos/acme/shop")

    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.stat().st_size for path in kept)
    assert not any(TOKEN.encode() in path.read_bytes() or TOKEN in str(path) for path in kept)


def test_an_answer_that_was_kept_badly_is_asked_for_again(client_in: Make, tmp_path: Path) -> None:
    first = client_in().get("/repos/acme/shop")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(b"cc=4,\xff\xff")

    assert client_in().get("/repos/acme/shop") == first


def test_where_nothing_can_be_kept_it_works_without(
    make_client: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")

    answer = make_client(cache_dir=tmp_path / "file").get("/repos/acme/shop")

    assert answer["full_name"] == SHOP
    assert "cannot be kept" in caplog.text


def test_a_304_for_nothing_that_was_kept_is_asked_again(client: GithubClient, github: FakeGithub) -> None:
    github.fail_next(1, status=304, body=b"")

    assert client.get("/repos/acme/shop")["full_name"] == SHOP


# Failures that pass


@pytest.mark.parametrize("status", [500, 502, 503])
def test_what_passes_is_tried_again(
    client: GithubClient, github: FakeGithub, waits: list[float], status: int
) -> None:
    github.fail_next(3, status=status)

    assert client.get("/repos/acme/shop")["full_name"] == SHOP
    assert len(github.requests) == 4
    assert 1 <= waits[0] <= 2 <= waits[1] <= 3 < 4 <= waits[2] <= 5


def test_a_dropped_connection_is_tried_again(client: GithubClient, github: FakeGithub, waits: list[float]) -> None:
    github.drop_next(2)

    assert client.get("/repos/acme/shop")["full_name"] == SHOP
    assert len(waits) == 2


def test_an_answer_that_breaks_off_is_tried_again(client_in: Make, github: FakeGithub) -> None:
    headers = {"Content-Length": "500", "Connection": "close", "ETag": '"half"'}
    github.fail_next(1, status=200, body='{"full_name": "acme', headers=headers)

    assert client_in().get("/repos/acme/shop")["full_name"] == SHOP
    assert etags_of(github) == [None, None]


def test_at_last_it_gives_up(client: GithubClient, github: FakeGithub) -> None:
    github.fail_next(99, status=503, body="<html>Down for maintenance</html>")

    with pytest.raises(Unavailable, match="503") as caught:
        client.get("/repos/acme/shop")

    assert caught.value.status == 503
    assert len(github.requests) == 4


def test_a_connection_that_is_dropped_again_and_again_is_given_up(client: GithubClient, github: FakeGithub) -> None:
    github.drop_next(99)

    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        client.get("/repos/acme/shop")

    assert caught.value.status is None
    assert len(github.requests) == 4


def test_who_does_not_answer_in_time_is_given_up(make_client: Make, github: FakeGithub) -> None:
    github.delay = 3600

    with pytest.raises(Unavailable, match="in time"):
        make_client(timeout=0.05, attempts=2).get("/repos/acme/shop")


def test_nobody_there(waits: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/api/v3"
        with GithubClient(address, TokenAuth(TOKEN), wait=waits.append) as client, pytest.raises(Unavailable):
            client.get("/repos/acme/shop")

    assert len(waits) == 3


# Failures that stay


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, GithubError),
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NotFound),
        (409, GithubError),
        (410, NotFound),
        (422, GithubError),
        (451, NotFound),
    ],
)
def test_what_stays_is_not_tried_again(
    client: GithubClient, github: FakeGithub, waits: list[float], status: int, kind: type[GithubError]
) -> None:
    github.fail_next(1, status=status, body={"message": "No, because"})

    with pytest.raises(GithubError, match="No, because") as caught:
        client.get("/repos/acme/shop")

    assert type(caught.value) is kind
    assert caught.value.status == status
    assert (len(github.requests), waits) == (1, [])


@pytest.mark.parametrize("status", [200, 403, 404])
def test_what_is_not_json_was_not_written_by_github(client: GithubClient, github: FakeGithub, status: int) -> None:
    github.fail_next(1, status=status, body="<html>Please log in</html>", headers={"Content-Type": "text/html"})

    with pytest.raises(Unavailable) as caught:
        client.get("/repos/acme/shop")

    assert caught.value.status == status
    assert len(github.requests) == 1


def test_an_empty_answer_is_none(client: GithubClient, github: FakeGithub) -> None:
    github.fail_next(1, status=204, body=b"")

    assert client.get("/repos/acme/shop") is None


def test_an_answer_of_another_shape_is_no_answer(client: GithubClient, github: FakeGithub) -> None:
    github.fail_next(1, status=200, body=[])

    with pytest.raises(Unavailable):
        client.pull_request(SHOP, 1)


# Rate limits


def test_a_used_up_limit_tells_its_end(client: GithubClient, github: FakeGithub, waits: list[float]) -> None:
    github.remaining, github.reset_at = 0, int(time.time()) + 1800

    with pytest.raises(RateLimited, match="rate limit exceeded") as caught:
        client.get("/repos/acme/shop")

    assert caught.value.until == dt.datetime.fromtimestamp(github.reset_at, dt.UTC)
    assert caught.value.status == 403
    assert (len(github.requests), waits) == (1, [])


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"Retry-After": "90"}, "Slow down", 90),
        ({"Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT"}, "Slow down", 120),
        ({"Retry-After": "soon"}, "Slow down", 60),
        ({}, "You have exceeded a secondary rate limit. Please wait a few minutes", 60),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "nonsense"}, "Slow down", 60),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 400}, "Slow down", 60),
    ],
)
def test_every_kind_of_limit_tells_its_end(
    client: GithubClient, github: FakeGithub, status: int, headers: dict[str, str], message: str, seconds: int
) -> None:
    github.fail_next(1, status=status, body={"message": message}, headers=headers)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    with time_machine.travel(now, tick=False), pytest.raises(RateLimited) as caught:
        client.get("/repos/acme/shop")

    assert caught.value.until == now + dt.timedelta(seconds=seconds)


def test_a_429_is_a_limit_whatever_it_says(client: GithubClient, github: FakeGithub) -> None:
    github.fail_next(1, status=429, body="<html>Whoa there!</html>")

    with pytest.raises(RateLimited):
        client.get("/repos/acme/shop")


def test_a_short_limit_is_waited_for(client: GithubClient, github: FakeGithub, waits: list[float]) -> None:
    github.fail_next(1, status=429, headers={"Retry-After": "3"})

    with time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False):
        assert client.get("/repos/acme/shop")["full_name"] == SHOP

    assert waits == [3]


def test_a_short_limit_that_does_not_end_is_not_waited_for_for_ever(
    client: GithubClient, github: FakeGithub, waits: list[float]
) -> None:
    github.fail_next(99, status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"})

    with (
        time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False),
        pytest.raises(RateLimited) as caught,
    ):
        client.get("/repos/acme/shop")

    assert waits == [1, 1, 1]
    assert caught.value.until > dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_a_limit_between_two_pages_leaves_what_was_read(
    client: GithubClient, github: FakeGithub, shop: FakeRepository
) -> None:
    shop.releases = [{"id": number} for number in range(250)]
    pages = client.releases(SHOP)
    assert len(next(pages)) == 100
    github.remaining = 0

    with pytest.raises(RateLimited):
        next(pages)


# Where it goes


def test_a_renamed_repository_is_followed(client: GithubClient, github: FakeGithub, shop: FakeRepository) -> None:
    github.renamed = {"acme/store": SHOP}
    shop.releases = [{"id": number} for number in range(150)]

    assert len(flat(client.releases("acme/store"))) == 150
    path = f"/repositories/{shop.id}/releases?per_page=100"
    assert github.asked() == ["/repos/acme/store/releases?per_page=100", path, f"{path}&page=2"]
    assert github.requests[1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_what_was_kept_gives_way_to_a_redirect(client_in: Make, github: FakeGithub) -> None:
    client_in().get("/repos/acme/shop")
    github.repositories["acme/store"] = github.repositories.pop(SHOP)
    github.renamed = {SHOP: "acme/store"}

    for _ in range(2):
        assert client_in().get("/repos/acme/shop")["full_name"] == "acme/store"


def test_a_redirect_is_not_kept(client_in: Make, github: FakeGithub, shop: FakeRepository) -> None:
    headers = {"Location": f"{github.base_url}/repositories/{shop.id}", "ETag": '"moved"'}
    github.fail_when(lambda request: request.path == "/repos/acme/store", status=301, headers=headers, times=None)

    for _ in range(2):
        assert client_in().get("/repos/acme/store")["full_name"] == SHOP
    assert [request.headers.get("If-None-Match") for request in github.requests if "store" in request.path] == [
        None,
        None,
    ]


def test_a_redirect_in_circles_ends(client: GithubClient, github: FakeGithub) -> None:
    here = {"Location": f"{github.base_url}/repos/acme/shop"}
    github.fail_when(lambda request: True, status=307, headers=here, times=None)

    with pytest.raises(Unavailable, match="again and again"):
        client.get("/repos/acme/shop")


def test_a_redirect_to_nowhere_is_no_answer(client: GithubClient, github: FakeGithub) -> None:
    github.fail_next(1, status=302)

    with pytest.raises(GithubError, match="302"):
        client.get("/repos/acme/shop")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_refused(
    client: GithubClient, github: FakeGithub, elsewhere: FakeGithub, status: int
) -> None:
    github.fail_next(1, status=status, headers={"Location": f"{elsewhere.base_url}/repos/acme/shop"})

    with pytest.raises(GithubError, match="not asked"):
        client.get("/repos/acme/shop")

    assert elsewhere.requests == []


def test_a_link_to_another_host_is_refused(client: GithubClient, github: FakeGithub, elsewhere: FakeGithub) -> None:
    link = {"Link": f'<{elsewhere.base_url}/repos/acme/shop/releases?page=2>; rel="next"'}
    github.fail_next(1, status=200, body=[{"id": 1}], headers=link)
    pages = client.releases(SHOP)

    assert next(pages) == [{"id": 1}]
    with pytest.raises(GithubError, match="not asked"):
        next(pages)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{other}\\@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}@127.0.0.1:{other}/",
        "http://me@127.0.0.1:{port}/",
        "//127.0.0.1:{other}/",
        "https://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1/",
        "file:///etc/passwd",
        "http://127.0.0.1:port/",
    ],
)
def test_an_address_that_only_seems_to_be_here_is_refused(
    client: GithubClient, github: FakeGithub, elsewhere: FakeGithub, address: str
) -> None:
    ports = [server.base_url.rpartition(":")[2].partition("/")[0] for server in (github, elsewhere)]
    github.fail_next(1, status=307, headers={"Location": address.format(port=ports[0], other=ports[1])})

    with pytest.raises(GithubError, match="leads to"):
        client.get("/repos/acme/shop")

    assert (len(github.requests), elsewhere.requests) == (1, [])


# GitHub Apps


@pytest.fixture
def app(github: FakeGithub, shop: FakeRepository) -> AppAuth:
    shop.installation_id = 42
    return AppAuth("12345", github.register_app("12345"))


def test_an_app_finds_its_installation_and_asks_with_its_token(
    make_client: Make, github: FakeGithub, app: AppAuth
) -> None:
    client = make_client(app)

    for _ in range(2):
        assert client.get("/repos/acme/shop")["full_name"] == SHOP

    assert [(request.method, request.path) for request in github.requests] == [
        ("GET", "/repos/acme/shop/installation"),
        ("POST", "/app/installations/42/access_tokens"),
        ("GET", "/repos/acme/shop"),
        ("GET", "/repos/acme/shop"),
    ]


def test_an_app_may_know_its_installation(make_client: Make, github: FakeGithub, app: AppAuth) -> None:
    client = make_client(AppAuth(app.app_id, app.private_key, installation_id=42))

    assert [row["full_name"] for row in flat(client.pages("/installation/repositories"))] == [SHOP]
    assert github.asked()[0] == "/app/installations/42/access_tokens"


def test_each_repository_is_asked_about_with_the_token_of_its_installation(
    make_client: Make, github: FakeGithub, app: AppAuth
) -> None:
    github.repositories["other/site"] = FakeRepository(id=2, installation_id=43)
    client = make_client(app)

    assert client.get("/repos/acme/shop")["full_name"] == SHOP
    assert client.get("/repos/other/site")["full_name"] == "other/site"


def test_a_token_that_is_about_to_expire_is_replaced(make_client: Make, github: FakeGithub, app: AppAuth) -> None:
    github.token_lifetime = 59
    client = make_client(app)

    client.get("/repos/acme/shop")
    client.get("/repos/acme/shop")

    assert len(github.asked("/app/")) == 2


def test_a_token_is_replaced_between_pages(
    make_client: Make, github: FakeGithub, shop: FakeRepository, app: AppAuth
) -> None:
    github.token_lifetime = 59
    shop.releases = [{"id": number} for number in range(250)]

    assert len(flat(make_client(app).releases(SHOP))) == 250
    assert len(github.asked("/app/")) == 3


def test_what_an_installation_was_answered_is_kept_for_its_next_token(
    client_in: Make, github: FakeGithub, app: AppAuth
) -> None:
    first = client_in(app).get("/repos/acme/shop")

    assert client_in(app).get("/repos/acme/shop") == first
    asked = [request for request in github.requests if request.path == "/repos/acme/shop"]
    assert asked[0].headers["Authorization"] != asked[1].headers["Authorization"]
    assert "If-None-Match" in asked[1].headers


def test_an_app_that_is_not_installed_sees_nothing(make_client: Make, app: AppAuth, shop: FakeRepository) -> None:
    shop.installation_id = None

    with pytest.raises(NotFound, match="installation"):
        make_client(app).get("/repos/acme/shop")


def test_an_app_with_another_key_is_not_let_in(make_client: Make, app: AppAuth, github: FakeGithub) -> None:
    github.public_key = make_key()[1]

    with pytest.raises(NotAllowed) as caught:
        make_client(app).get("/repos/acme/shop")

    assert caught.value.status == 401


def elliptic_key() -> str:
    """Return a private key that is no RSA key."""
    form = serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


_BROKEN = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "make_key_text",
    [lambda: "", lambda: "no key", lambda: _BROKEN, lambda: make_key()[1].decode(), elliptic_key],
    ids=["empty", "text", "broken", "public", "elliptic"],
)
def test_a_key_that_is_none_is_told(make_client: Make, github: FakeGithub, make_key_text: Callable[[], str]) -> None:
    with pytest.raises(NotAllowed, match="private key"):
        make_client(AppAuth("12345", make_key_text())).get("/repos/acme/shop")

    assert github.requests == []


def test_without_an_installation_only_repositories_can_be_asked_about(make_client: Make, app: AppAuth) -> None:
    with pytest.raises(GithubError, match="only ask about repositories"):
        make_client(app).get("/user")


@pytest.mark.parametrize("answer", [{}, {"token": "x", "expires_at": "later"}, {"token": 1, "expires_at": None}])
def test_a_token_that_cannot_be_read_is_none(
    make_client: Make, github: FakeGithub, app: AppAuth, answer: dict[str, Any]
) -> None:
    github.fail_when(lambda request: request.method == "POST", status=201, body=answer)

    with pytest.raises(Unavailable, match="token"):
        make_client(app).get("/repos/acme/shop")


# Secrets


def test_secrets_are_not_shown(client: GithubClient, app: AppAuth) -> None:
    assert TOKEN not in repr(TokenAuth(TOKEN)) + repr(client) + repr(vars(client))
    assert "PRIVATE KEY" not in repr(app)


def test_errors_and_logs_do_not_tell_the_token(
    make_client: Make, github: FakeGithub, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make_client(cache_dir=tmp_path, attempts=1)
    for status in (401, 404, 422, 429, 500):
        github.fail_next(1, status=status, body={"message": f"You sent {TOKEN}"})
        with pytest.raises(GithubError, match=r"You sent \[hidden\]") as caught:
            client.get("/repos/acme/shop")
        assert TOKEN not in "".join(traceback.format_exception(caught.value))
    github.drop_next(1)
    with pytest.raises(Unavailable) as dropped:
        client.get("/repos/acme/shop")

    assert TOKEN not in "".join(traceback.format_exception(dropped.value))
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["", "  ", "two words", "gh\np_x", "gh…p_x", "gh\x00p"])
def test_a_token_that_cannot_be_sent_is_told_without_it(make_client: Make, github: FakeGithub, token: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        make_client(TokenAuth(token)).get("/repos/acme/shop")

    assert not token.strip() or token not in str(caught.value)
    assert github.requests == []


def test_space_around_a_token_does_not_matter(make_client: Make) -> None:
    assert make_client(TokenAuth(f" {TOKEN}\n")).get("/repos/acme/shop")["full_name"] == SHOP


def test_errors_can_be_handed_between_processes() -> None:
    until = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    error = pickle.loads(pickle.dumps(RateLimited("Slow down", 429, until)))  # noqa: S301 - our own

    assert (str(error), error.status, error.until) == ("Slow down", 429, until)
