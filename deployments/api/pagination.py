"""Pages of lists: `{"results": […], "next": URL or null}`."""

import re
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
    ordering = ("-deployed_at", "-id")

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("limit", "").strip()
        if not text:
            return self.page_size
        if not re.fullmatch("[0-9]{1,9}", text) or not int(text):
            raise ValidationError({"limit": ["Must be a number from 1 on."]})
        return min(int(text), self.max_page_size)

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
