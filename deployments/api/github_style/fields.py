"""Reads what a body says, and says of all that is wrong with it at once."""

import json
from typing import Any

from deployments.api.github_style.errors import custom_error, invalid_request, validation_failed

_SHOWN = 80  # characters of a wrong value


class Fields:
    """The fields of a JSON object. Null says the same as leaving a field out.

    Take every field, then `check`; values of fields at fault must not be used before.
    """

    def __init__(self, body: dict[str, Any], resource: str = "") -> None:
        self._body = body
        self._resource = resource
        self._faults: list[str] = []
        self._errors: list[Any] = []

    def check(self) -> None:
        """Raise Refusal (422) where anything is wrong: types first, as nothing else can be said of those."""
        if self._faults:
            raise invalid_request(*self._faults)
        if self._errors:
            raise validation_failed(*self._errors)

    def refuse(self, name: str, message: str) -> None:
        """Note that the content of a field cannot be taken."""
        self._errors.append(custom_error(self._resource, name, message))

    def fault(self, text: str) -> None:
        """Note that a field is missing or of a wrong type."""
        self._faults.append(text)

    def required_text(self, name: str) -> str:
        """Return a text that has to be there."""
        if self._body.get(name) is None:
            self.fault(f'"{name}" wasn\'t supplied.')
        return self.text(name)

    def text(self, name: str, default: str = "", *, at_most: int | None = None) -> str:
        """Return a text, or the default where there is none."""
        value = self._body.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self._wrong_type(name, "string")
            return default
        if at_most is not None and len(value) > at_most:
            self.refuse(name, f"is too long (maximum is {at_most} characters)")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value, or the default where there is none."""
        value = self._body.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self._wrong_type(name, "boolean")
        return default

    def texts(self, name: str) -> None:
        """Check a list of texts that makes no difference here."""
        value = self._body.get(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            self._wrong_type(name, "array")

    def object(self, name: str) -> dict[str, Any]:
        """Return an object, or an empty one where there is none."""
        value = self._body.get(name)
        if value is None or isinstance(value, dict):
            return value or {}
        self._wrong_type(name, "object")
        return {}

    def object_or_text(self, name: str) -> None:
        """Check what may be an object or a text."""
        if not isinstance(self._body.get(name), dict | str | None):
            self._wrong_type(name, "object")

    def address(self, name: str, *, at_most: int = 2000) -> str:
        """Return an http(s) address, or an empty text. It is shown as a link, which must not run a script."""
        value = self.text(name, at_most=at_most)
        if value and not value.lower().startswith(("http://", "https://")):
            self.refuse(name, "must use http(s) scheme")
        return value

    def choice(self, name: str, choices: list[str]) -> str:
        """Return one of some texts; it has to be there."""
        value = self.required_text(name)
        if isinstance(self._body.get(name), str) and value not in choices:
            self.fault(
                f"Invalid property /{name}: `{value[:_SHOWN]}` is not a possible value."
                f" Must be one of the following: {', '.join(choices)}."
            )
        return value

    def _wrong_type(self, name: str, wanted: str) -> None:
        shown = json.dumps(self._body[name])[:_SHOWN]
        self.fault(f"Invalid property /{name}: `{shown}` is not of type `{wanted}`.")
