"""Writes many plain rows at once.

`bulk_create` makes an instance of each row and puts at most 999 values into a statement on SQLite, which costs an
import of 60,000 commits more time than Git needs to read them. So the few tables that grow with every commit are
written here: by COPY on PostgreSQL, by one prepared statement elsewhere. `bulk_update` builds one statement with a
CASE for each value, which takes longer to build and to parse than the rows take to be written one after another.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models


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
