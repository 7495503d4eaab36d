"""Writes many plain rows at once.

`bulk_create` makes an instance of each row and puts at most 999 values into a statement on SQLite, which costs an
import of 60,000 commits more time than Git needs to read them. So the few tables that grow with every commit are
written here: by COPY on PostgreSQL, by one prepared statement elsewhere. `bulk_update` builds one statement with a
CASE for each value, which takes longer to build and to parse than the rows take to be written one after another.
"""

import datetime
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, models

# Values, or one value for ever.
Column = list[Any] | Iterable[Any]
_SPECIAL = re.compile(r"[\\\t\n\r]")  # what COPY takes for more than a letter
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_LINES_AT_ONCE = 20_000


def insert_rows(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of a model, each a sequence of values in the order of the field names.

    Columns left out get what the database gives them: an id. Every other field has to be named.
    """
    fields = [model._meta.get_field(name) for name in names]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)  # type: ignore[union-attr]
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        adapt = connection.ops.adapt_datetimefield_value
        marks = ", ".join(["%s"] * len(fields))
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608 - the model's own names
            [[adapt(value) if value.__class__ is datetime.datetime else value for value in row] for row in rows],
        )


def update_rows(rows: Iterable[models.Model], names: Sequence[str]) -> None:
    """Store the named fields of rows that are all of one model."""
    rows = list(rows)
    if not rows:
        return
    fields = [rows[0]._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    settings = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)  # type: ignore[union-attr]
    primary_key: Any = rows[0]._meta.pk
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {quote(rows[0]._meta.db_table)} SET {settings}"  # noqa: S608 - the model's own names
            f" WHERE {quote(str(primary_key.column))} = %s",
            [
                [field.get_db_prep_save(getattr(row, field.attname), connection) for field in (*fields, primary_key)]
                for row in rows
            ],
        )


class ColumnWriter:
    """Inserts rows of a model given column by column, as the database is to have each value.

    Far faster than `insert_rows`, for millions of rows that nobody checks.
    """

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model
        self._names = [str(field.column) for field in model._meta.concrete_fields]
        # What stands in the columns of which nothing is said.
        self._defaults: dict[str, Column] = {
            field.attname: itertools.repeat(field.get_db_prep_save(field.get_default(), connection))
            for field in model._meta.concrete_fields
        }
        self._lines: list[str] = []

    def add(self, columns: Mapping[str, Column]) -> None:
        """Insert rows, sooner or later. A column is named as the attribute of its field; one has to have an end."""
        whole = [*{**self._defaults, **columns}.values()]
        if connection.vendor == "postgresql":
            # What is the same on every line is written into it once.
            line = "\t".join("%s" if isinstance(column, list) else _constant(column) for column in whole) + "\n"
            varying = [_copied(column) for column in whole if isinstance(column, list)]
            self._lines += [line % row for row in zip(*varying, strict=True)]
            if len(self._lines) >= _LINES_AT_ONCE:
                self.flush()
            return
        with connection.cursor() as cursor:  # past Django's cursor, which would look for %s in every statement
            cursor.connection.executemany(self._insert, zip(*whole, strict=False))

    def flush(self) -> None:
        """Insert what is left."""
        if self._lines:
            with connection.cursor() as cursor, cursor.copy(f"COPY {self._target} FROM STDIN") as copy:
                copy.write("".join(self._lines))
            self._lines = []

    @property
    def _target(self) -> str:
        quote = connection.ops.quote_name
        return f"{quote(self._model._meta.db_table)} ({', '.join(map(quote, self._names))})"

    @property
    def _insert(self) -> str:
        marks = ", ".join(["?"] * len(self._names))
        return f"INSERT INTO {self._target} VALUES ({marks})"  # noqa: S608 - the model's own names


def _constant(column: Column) -> str:
    return str(_escaped(next(iter(column)))).replace("%", "%%")


def _copied(column: list[Any]) -> list[Any]:
    """Return a column as PostgreSQL's COPY reads it."""
    has_gaps = None in column
    known = [value for value in column if value is not None] if has_gaps else column
    if known and isinstance(known[0], str) and any(map("".join(known).__contains__, _ESCAPES)):
        return [_escaped(value) for value in column]
    return ["\\N" if value is None else value for value in column] if has_gaps else column


def _escaped(value: Any) -> Any:
    if value is None:
        return "\\N"
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value) if isinstance(value, str) else value
