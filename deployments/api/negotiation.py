"""What an answer is written in."""

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class AnyAccept(BaseContentNegotiation):
    """Answers in the view's first format unless another one of its formats is asked for; never refuses with 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        wanted = request.query_params.get("format") or format_suffix
        accepted = request.META.get("HTTP_ACCEPT", "")
        offered = list(renderers)
        for renderer in offered:
            if renderer.format == wanted or (not wanted and str(renderer.media_type) in accepted):
                return renderer, str(renderer.media_type)
        return offered[0], str(offered[0].media_type)
