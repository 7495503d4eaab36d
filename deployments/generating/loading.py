"""Brings many made-up rows into the database: without checks and without indexes, which are built at the end.

All is one transaction, also on the way back: a crash leaves nothing behind, and no index missing.
"""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from django.db import connection, models, transaction

from deployments.bulk import Column, ColumnWriter

# With fewer rows, building indexes anew would cost more than it saves.
_WORTH_REBUILDING = 50_000


class Loader:
    """Writes rows of several tables, column by column, and gives them their ids."""

    def __init__(self, tables: Sequence[type[models.Model]]) -> None:
        self.tables = tables
        self.next_id = {table: _last_id(table) + 1 for table in tables}
        self._writers = {table: ColumnWriter(table) for table in tables}

    def reserve(self, table: type[models.Model], count: int) -> int:
        """Set ids aside and return the first of them."""
        first = self.next_id[table]
        self.next_id[table] += count
        return first

    def add(self, table: type[models.Model], count: int, **columns: Any) -> None:
        """Insert rows. A column is a sequence of values or one value for all; `id` is given where it is left out."""
        if not count:
            return
        if "id" not in columns:
            first = self.reserve(table, count)
            columns["id"] = range(first, first + count)
        self._writers[table].add({name: _column(value, count) for name, value in columns.items()})

    def finish(self) -> None:
        """Write what is left, and have the database go on with the ids after those that were given."""
        for writer in self._writers.values():
            writer.flush()
        if connection.vendor != "postgresql":
            return
        with connection.cursor() as cursor:
            for table in self.tables:
                name = table._meta.db_table
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [name, self.next_id[table]])


def _last_id(table: type[models.Model]) -> int:
    found = table._default_manager.aggregate(last=models.Max("pk"))["last"] or 0
    if connection.vendor == "postgresql":  # ids may have been given to rows that are gone
        with connection.cursor() as cursor:
            name = table._meta.db_table
            cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)", [name])
            found = max(found, cursor.fetchone()[0] or 0)
    return int(found)


def _column(value: Any, count: int) -> Column:
    if isinstance(value, np.ndarray):
        return (value.astype(np.int8) if value.dtype == bool else value).tolist()  # type: ignore[no-any-return]
    if isinstance(value, list | range):
        assert len(value) == count
        return list(value)
    if isinstance(value, uuid.UUID):
        value = models.UUIDField().get_db_prep_value(value, connection)
    return itertools.repeat(value)


@contextmanager
def loading(tables: Sequence[type[models.Model]], rows: int) -> Iterator[Loader]:
    """Load many rows in one transaction; indexes are dropped for so long where that saves time."""
    with _fast_and_unchecked(), transaction.atomic():
        loader = Loader(tables)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL synchronous_commit = off")
                cursor.execute("SET LOCAL maintenance_work_mem = '1GB'")
        restore = [*_drop_foreign_keys(tables), *(_drop_indexes(tables) if rows >= _WORTH_REBUILDING else [])]
        yield loader
        loader.finish()
        with connection.cursor() as cursor:
            for statement in reversed(restore):
                cursor.execute(statement)
    _analyse(tables)


@contextmanager
def _fast_and_unchecked() -> Iterator[None]:
    """On SQLite, neither wait for the disk nor look up what each row refers to."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        before = {name: _pragma(name) for name in ("synchronous", "cache_size", "foreign_keys")}
        for name, value in (("synchronous", 0), ("cache_size", -500_000), ("foreign_keys", 0)):
            cursor.execute(f"PRAGMA {name} = {value}")
        try:
            yield
        finally:
            for name, value in before.items():
                cursor.execute(f"PRAGMA {name} = {value}")


def _pragma(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return int(cursor.fetchone()[0])


def _drop_foreign_keys(tables: Sequence[type[models.Model]]) -> list[str]:
    """Have PostgreSQL check no foreign key: by its own switch where the role may use it, else by dropping them."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            cursor.execute("SET LOCAL session_replication_role = replica")
            return []
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks yet to be made cannot be altered
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)",
            [[table._meta.db_table for table in tables]],
        )
        restore = []
        for name, constraint, definition in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {constraint}")
            restore.append(f"ALTER TABLE {name} ADD CONSTRAINT {constraint} {definition}")
        return restore


def _drop_indexes(tables: Sequence[type[models.Model]]) -> list[str]:
    """Drop all indexes but the primary keys, and return the statements that make them anew."""
    restore = []
    with connection.cursor() as cursor:
        for table in tables:
            name = connection.ops.quote_name(table._meta.db_table)
            for drop, create in _indexes(cursor, table._meta.db_table, name):
                cursor.execute(drop)
                restore.append(create)
    return restore


def _indexes(cursor: Any, table: str, quoted: str) -> list[tuple[str, str]]:
    if connection.vendor == "sqlite":
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql NOTNULL", [table]
        )
        return [(f'DROP INDEX "{name}"', sql) for name, sql in cursor.fetchall()]
    cursor.execute(
        "SELECT quote_ident(c.relname), pg_get_indexdef(i.indexrelid), pg_get_constraintdef(k.oid) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid"
        " AND k.contype = 'u' WHERE i.indrelid = %s::regclass AND NOT i.indisprimary",
        [table],
    )
    return [
        (f"ALTER TABLE {quoted} DROP CONSTRAINT {name}", f"ALTER TABLE {quoted} ADD CONSTRAINT {name} {constraint}")
        if constraint
        else (f"DROP INDEX {name}", definition)
        for name, definition, constraint in cursor.fetchall()
    ]


def _analyse(tables: Sequence[type[models.Model]]) -> None:
    """Tell the query planner what there is now."""
    clean_up = "VACUUM " if connection.vendor == "postgresql" and not connection.in_atomic_block else ""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"{clean_up}ANALYZE {connection.ops.quote_name(table._meta.db_table)}")
