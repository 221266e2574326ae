"""Triggers that note, in the transaction of a change, whose bitmaps are no longer true.

One per table and kind of statement, with transition tables: a statement writes one row with the ids of all members it
touched, however many rows it changed, and nothing when no watched column changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import connection

# A statement that touches more members than this marks the bitmaps as unusable instead of naming each.
MOST_LISTED = 50_000


def install(family: str, table: str, *, member: str, watched: Sequence[str], key: str | None = None) -> str:
    """SQL that watches a table: rows belong to `member`, and to a slot by `key`; `watched` is what bitmaps show."""
    name = f"bitmap_{family}"
    slot = f"x.{key}::text" if key else "''"
    group = f" GROUP BY x.{key}" if key else ""
    columns = ", ".join(dict.fromkeys([member, *([key] if key else []), *watched]))

    def noting(rows: str) -> str:
        # HAVING keeps an aggregate over nothing from leaving a row.
        return f"""
            INSERT INTO common_bitmapchange (family, key, member_ids)
            SELECT '{family}', {slot},
                   CASE WHEN count(*) <= {MOST_LISTED} THEN array_agg(DISTINCT x.{member}::bigint) END
            FROM ({rows}) x{group} HAVING count(*) > 0;"""

    changed = (
        f"(SELECT {columns} FROM new_rows EXCEPT ALL SELECT {columns} FROM old_rows)"
        f" UNION ALL (SELECT {columns} FROM old_rows EXCEPT ALL SELECT {columns} FROM new_rows)"
    )
    bodies = {
        "insert": (f"SELECT {columns} FROM new_rows", "REFERENCING NEW TABLE AS new_rows"),
        "update": (changed, "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
        "delete": (f"SELECT {columns} FROM old_rows", "REFERENCING OLD TABLE AS old_rows"),
    }
    parts = []
    for event, (rows, tables) in bodies.items():
        # As many rows were there before: when each new one was among them, nothing changed. This is how most statements
        # of the intake of events end.
        begin = (
            f"IF NOT EXISTS (SELECT {columns} FROM new_rows EXCEPT ALL SELECT {columns} FROM old_rows) THEN"
            " RETURN NULL; END IF;"
            if event == "update"
            else ""
        )
        parts.append(f"""
            CREATE FUNCTION {name}_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN {begin} {noting(rows)} RETURN NULL; END $$;
            CREATE TRIGGER {name}_{event} AFTER {event.upper()} ON {table} {tables}
            FOR EACH STATEMENT EXECUTE FUNCTION {name}_{event}();""")
    parts.append(f"""
            CREATE FUNCTION {name}_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN DELETE FROM common_bitmapslot WHERE family = '{family}'; RETURN NULL; END $$;
            CREATE TRIGGER {name}_truncate AFTER TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION {name}_truncate();""")
    return "".join(parts)


def remove(family: str, table: str) -> str:
    """SQL that takes the triggers off again."""
    return "".join(
        f"DROP TRIGGER bitmap_{family}_{event} ON {table}; DROP FUNCTION bitmap_{family}_{event}();"
        for event in ("insert", "update", "delete", "truncate")
    )


def suspend(tables: Sequence[str]) -> Callable[[], None]:
    """Stop watching tables that are about to be filled, and drop what is built of them, in the caller's transaction.

    Returns what begins to watch them again. Meanwhile, and until the bitmaps are built anew, the rows answer.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT tgrelid::regclass::text, tgname FROM pg_trigger
               WHERE tgrelid = ANY(%s::regclass[]) AND tgname LIKE 'bitmap\\_%%' AND NOT tgisinternal""",
            [list(tables)],
        )
        found = cursor.fetchall()
        for table, name in found:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        # After the tables are locked: nobody can build bitmaps from them now.
        families = {name.removeprefix("bitmap_").rpartition("_")[0] for _, name in found}
        cursor.execute("DELETE FROM common_bitmapslot WHERE family = ANY(%s)", [list(families)])

    def resume() -> None:
        with connection.cursor() as cursor:
            for table, name in found:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {name}")

    return resume
