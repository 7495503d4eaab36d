"""Reads the body of a request and takes it for JSON, with a clear word on whatever is wrong with it."""

import json
import math
from typing import Any, NoReturn

from django.http import UnreadablePostError
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request

# RFC 8259, section 9, leaves the range of numbers to whoever reads them. No field is one.
_MAX_DIGITS = 1000


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class UnsupportedEncoding(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_encoding"


def read_body(request: Request, limit: int) -> bytes:
    """Return the body. Raises BodyTooLarge, UnsupportedEncoding, and ParseError where it was cut off."""
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.strip().lower() not in ("identity", ""):
        raise UnsupportedEncoding(f"The content encoding “{encoding[:40]}” is not supported: send it as it is.")
    length = _content_length(request)
    if length is not None and length > limit:
        raise _too_large(limit)
    try:
        if length is None:
            # Sent in chunks: Django takes that for no body, the server below it does not.
            body = request.META["wsgi.input"].read(limit + 1) if _is_chunked(request) else b""
        else:
            body = request._request.read(limit + 1)
    except (UnreadablePostError, OSError) as error:
        raise ParseError("The body was cut off before its end.") from error
    if len(body) > limit:
        raise _too_large(limit)
    if length is not None and len(body) < length:
        raise ParseError(f"The body was cut off: {len(body)} of {length} bytes arrived.")
    return bytes(body)


def _content_length(request: Request) -> int | None:
    try:
        return int(request.META.get("CONTENT_LENGTH") or "")
    except ValueError:
        return None


def _is_chunked(request: Request) -> bool:
    return "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body has more than {limit // (1024 * 1024)} MiB.")


def parse_json(body: bytes) -> Any:
    """Return what the body says. Raises ParseError where it is no JSON (RFC 8259)."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8: byte {error.start} cannot be read.") from error
    if not text.strip():
        raise ParseError("The body is empty; a JSON object is expected.")
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_parse_int, parse_float=_parse_float)
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error
    except ValueError as error:
        raise ParseError(f"The body is not JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _parse_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ParseError(f"A number has more than {_MAX_DIGITS} digits.")
    return int(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ParseError("A number is larger than any that can be kept.")
    return number
