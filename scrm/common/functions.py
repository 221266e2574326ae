"""Functions of the database, reworded by migrations."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def reword(schema_editor: BaseDatabaseSchemaEditor, function: str, words: Iterable[tuple[str, str]]) -> None:
    """Let a function say something else: each first text becomes the second, one after the other.

    Replacing a function takes its whole text; this spares repeating what stays. Raises `ValueError` when a text is not
    there exactly once, so that a function that is another one by now is left alone.
    """
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [function])
        text = cursor.fetchone()[0]
        for old, new in words:
            if text.count(old) != 1:
                raise ValueError(f"{function} does not say once {old!r}")
            text = text.replace(old, new)
        cursor.execute(text)
