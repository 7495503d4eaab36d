"""Keeps GitHub's answers for their ETags: a 304 costs nothing of the rate limit."""

import datetime
import logging
from pathlib import Path
from typing import Literal

import requests
from cachecontrol.adapter import CacheControlAdapter
from cachecontrol.cache import BaseCache
from cachecontrol.caches import FileCache
from cachecontrol.controller import CacheController
from cachecontrol.heuristics import BaseHeuristic
from cachecontrol.serialize import Serializer
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

logger = logging.getLogger(__name__)


class _AskAlways(CacheController):
    """Keeps answers for their ETags alone.

    GitHub calls its answers fresh for a minute, in which a webhook may have told of something newer. A redirect is
    not kept: with a 304 it would come back as a 200.
    """

    def __init__(
        self, cache: BaseCache | None = None, cache_etags: bool = True, serializer: Serializer | None = None
    ) -> None:
        super().__init__(cache, cache_etags, serializer, status_codes=(200,))

    def cached_request(self, request: requests.PreparedRequest) -> Literal[False]:
        return False


class _WithoutVary(BaseHeuristic):
    """Leaves out that answers vary by what was sent: that would be kept beside them, the token included."""

    def apply(self, response: HTTPResponse) -> HTTPResponse:
        response.headers.pop("Vary", None)
        return response


class _Files(FileCache):
    """A cache that may fail, on a full disk for one: then there is no cache."""

    def get(self, key: str) -> bytes | None:
        try:
            return super().get(key)
        except OSError as error:
            logger.warning("An answer of GitHub's that was kept cannot be read: %s", error)
            return None

    def set(self, key: str, value: bytes, expires: int | datetime.datetime | None = None) -> None:
        try:
            super().set(key, value, expires)
        except OSError as error:
            logger.warning("An answer of GitHub's cannot be kept: %s", error)


def caching(directory: Path) -> HTTPAdapter:
    """Return what sends requests, and keeps the answers in a directory."""
    return CacheControlAdapter(_Files(directory), controller_class=_AskAlways, heuristic=_WithoutVary())
