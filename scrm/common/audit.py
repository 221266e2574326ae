"""The audit log: who changed what, from what, to what; and who looked.

Tables that declare `audited()` write an entry per changed row by a database trigger, so bulk updates and plain SQL
are seen too. Acts that change no row (a reveal, an export) are recorded with `record`.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.utils.functional import Promise

from scrm.common.transactions import current_actor

# Never copied into the log: secrets, sealed personal data, and bookkeeping that would drown real changes.
_HIDDEN = (
    "password",
    "secret",
    "sealed",
    "digest",
    "last_login",
    "updated_at",
    "last_used_at",
    "heartbeat_at",
)


def audited(*also_hidden: str, insert: bool = True) -> pgtrigger.Trigger:
    """A trigger for a model's `Meta.triggers`: every insert, update and delete of a row becomes one `AuditEntry`.

    `insert=False` is for tables that are filled by the thousand.
    """
    operation = pgtrigger.Update | pgtrigger.Delete
    if insert:
        operation |= pgtrigger.Insert
    hidden = ", ".join(f"'{name}'" for name in (*_HIDDEN, *also_hidden))
    return pgtrigger.Trigger(
        name="audited",
        when=pgtrigger.After,
        operation=operation,
        declare=[("old_row", "jsonb"), ("new_row", "jsonb"), ("diff", "jsonb")],
        func=f"""
            IF TG_OP <> 'INSERT' THEN old_row := to_jsonb(OLD) - ARRAY[{hidden}]; END IF;
            IF TG_OP <> 'DELETE' THEN new_row := to_jsonb(NEW) - ARRAY[{hidden}]; END IF;
            IF TG_OP = 'UPDATE' THEN
                SELECT jsonb_object_agg(n.key, jsonb_build_array(o.value, n.value)) INTO diff
                FROM jsonb_each(new_row) n JOIN jsonb_each(old_row) o USING (key) WHERE n.value IS DISTINCT FROM o.value;
                IF diff IS NULL THEN RETURN NULL; END IF;
            ELSE
                SELECT jsonb_object_agg(key, CASE WHEN TG_OP = 'INSERT' THEN jsonb_build_array(NULL, value)
                                                  ELSE jsonb_build_array(value, NULL) END) INTO diff
                FROM jsonb_each(COALESCE(new_row, old_row));
            END IF;
            INSERT INTO common_auditentry (at, actor, action, object_type, object_id, changes)
            VALUES (clock_timestamp(), COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'),
                    lower(TG_OP), TG_TABLE_NAME, COALESCE(new_row, old_row) ->> 'id', COALESCE(diff, '{{}}'));
            RETURN NULL;
        """,  # noqa: E501  # its text is part of the migrations
    )


def record(*, action: str, object_type: str, object_id: int | str | None, detail: dict[str, Any] | None = None) -> None:
    """Write an entry for an act that changed no audited row. Call it inside the act's transaction."""
    from scrm.common.models import AuditEntry  # noqa: PLC0415  # the models' triggers are declared with this module

    AuditEntry.objects.create(
        actor=current_actor().ref,
        action=action,
        object_type=object_type,
        object_id=None if object_id is None else str(object_id),
        changes={
            key: [None, str(value) if isinstance(value, Promise) else value] for key, value in (detail or {}).items()
        },
    )
