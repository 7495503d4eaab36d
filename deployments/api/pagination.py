"""Pages of lists: `{"results": […], "next": URL or null}`."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from deployments.reports import parse_date_time


class NewestFirst(CursorPagination):
    """Pages that stay right while new rows arrive, at the same cost however far down."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = ("-deployed_at", "-id")

    def decode_cursor(self, request: Request) -> Any:
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                parse_date_time(cursor.position)
        except (NotFound, ValidationError) as error:
            raise ValidationError({"cursor": ["Is not one that a list has given."]}) from error
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link()})
