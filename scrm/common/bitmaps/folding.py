"""Keeping the bitmaps up with the rows: build all of a family, or fold in the members that changed.

The notes of changes are taken away first and the rows are read after that, all in one transaction: a change that
commits in between is both read and still noted, never neither. Readers see the old versions with the old notes until
it commits. One transaction per family works at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from django.db import connection, transaction
from pyroaring import BitMap

from scrm.common.bitmaps import building, cache, families
from scrm.common.bitmaps.building import Built
from scrm.common.bitmaps.families import ALL_KEYS, Family, Kind
from scrm.common.bitmaps.stored import TOUCHED, Overlay, Pairs, Value, ids_of, pack

# A base is built anew when its overlay speaks for this many members or this part of it, but in a bulk load not at once:
# only when it is a minute old, or when the overlay has become too long to be written at each fold.
OVERLAY_LEAST = 20_000
OVERLAY_SHARE = 0.01
OVERLAY_MOST = 300_000
_SETTLED = "interval '1 minute'"


def fold(family_name: str) -> int:
    """Fold what changed into the bitmaps of a family; build them when there are none. Members folded in.

    Does nothing while another process works on the family.
    """
    family = families.get(family_name)
    with transaction.atomic():
        if not _try_lock(family):
            return 0
        if not _is_built(family):
            _rebuild(family, None)
            return 0
        return _fold(family)


def fold_everything() -> int:
    """Fold every family with something to do, each in a transaction of its own. Members folded in.

    A family that fails does not keep the others waiting; its error is raised after them.
    """
    folded, errors = 0, []
    for name in waiting():
        try:
            folded += fold(name)
        except Exception as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("some bitmaps could not be folded", errors)
    return folded


def rebuild(family_name: str) -> None:
    """Build the bitmaps of a family from all rows. Waits for another process that works on it."""
    family = families.get(family_name)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"bitmaps:{family.name}"])
        _rebuild(family, None)


def waiting() -> list[str]:
    """Families with something to do: never built, or with changes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT family FROM common_bitmapchange")
        changed = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT family FROM common_bitmapslot WHERE key IN ('', %s)", [ALL_KEYS])
        built = {row[0] for row in cursor.fetchall()}
    return [family.name for family in families.every() if family.name in changed or family.name not in built]


def _try_lock(family: Family) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"bitmaps:{family.name}"])
        return bool(cursor.fetchone()[0])


def marker(family: Family) -> str:
    """The key of the slot that says that the family is built."""
    return "" if family.key is None else ALL_KEYS


def _is_built(family: Family) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM common_bitmapslot WHERE family = %s AND key = %s", [family.name, marker(family)])
        return cursor.fetchone() is not None


def _take_notes(family: Family) -> tuple[dict[str, set[int]], set[str]]:
    """Take the notes away: members by key, and the keys of which too many changed to be named."""
    members: dict[str, set[int]] = defaultdict(set)
    flooded = set()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM common_bitmapchange WHERE family = %s RETURNING key, member_ids", [family.name])
        for key, ids in cursor:
            if ids is None:
                flooded.add(key)
            else:
                members[key].update(ids)
    return members, flooded


def _rebuild(family: Family, keys: Sequence[str] | None) -> None:
    """Build all slots, or those of `keys` only. In the caller's transaction, under the family's lock."""
    if keys is None:
        _take_notes(family)
    fresh = []
    for key, built in building.build(family, keys):
        _store_base(family, key, built)
        fresh.append(key)
    if keys is not None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM common_bitmapslot WHERE family = %s AND key <> ALL(%s) AND key <> %s
               RETURNING base, overlay, base_before, overlay_before""",
            [family.name, fresh, marker(family)],
        )
        _drop(version for row in cursor.fetchall() for version in row)
        # Slots that went away with the rows of a whole table left theirs behind.
        cursor.execute(
            """DELETE FROM common_bitmapblob WHERE version NOT IN (
                   SELECT v FROM common_bitmapslot, unnest(ARRAY[base, overlay, base_before, overlay_before]) AS v
                   WHERE v IS NOT NULL)"""
        )
        if family.key is not None:
            cursor.execute(
                """INSERT INTO common_bitmapslot (family, key) VALUES (%s, %s)
                   ON CONFLICT (family, key) DO UPDATE SET built_at = now()""",
                [family.name, ALL_KEYS],
            )


Parts = Iterable[tuple[str, bytes]]


def _store(several: Sequence[Parts]) -> list[int]:
    """Write the parts of new versions; answers the versions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('common_bitmapversion') FROM generate_series(1, %s)", [len(several)])
        versions = [int(row[0]) for row in cursor.fetchall()]
        with cursor.copy("COPY common_bitmapblob (version, name, data) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int8", "text", "bytea"])
            for version, parts in zip(versions, several, strict=True):
                for name, data in parts:
                    copy.write_row((version, name, data))
    return versions


def _drop(versions: Iterable[int | None]) -> None:
    gone = [version for version in versions if version is not None]
    if gone:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM common_bitmapblob WHERE version = ANY(%s)", [gone])


def _store_base(family: Family, key: str, built: Built) -> None:
    (version,) = _store([built.parts])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT base_before, overlay_before FROM common_bitmapslot WHERE family = %s AND key = %s",
            [family.name, key],
        )
        _drop(cursor.fetchone() or ())
        # The version that held until now stays for readers that began with it.
        cursor.execute(
            """
            INSERT INTO common_bitmapslot AS s (family, key, base, members) VALUES (%s, %s, %s, %s)
            ON CONFLICT (family, key) DO UPDATE SET base = EXCLUDED.base, members = EXCLUDED.members, overlay = NULL,
                touched = 0, base_before = s.base, overlay_before = s.overlay, built_at = now()
            """,
            [family.name, key, version, built.members],
        )


def _fold(family: Family) -> int:
    members, flooded = _take_notes(family)
    for key in flooded:
        members.pop(key, None)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT key, overlay, overlay_before, members, touched, built_at < now() - {_SETTLED}"
            " FROM common_bitmapslot WHERE family = %s AND key = ANY(%s)",
            [family.name, list(members)],
        )
        slots = {row[0]: row[1:] for row in cursor.fetchall()}
    again = set(flooded)
    for key, ids in members.items():
        if key not in slots:
            again.add(key)
            continue
        _, _, held, touched, settled = slots[key]
        touched += len(ids)
        if touched > OVERLAY_MOST or (settled and touched > max(OVERLAY_LEAST, held * OVERLAY_SHARE)):
            again.add(key)
    folded = {key: ids for key, ids in members.items() if key not in again}
    if again:
        _rebuild(family, sorted(again))
    if folded:
        _store_overlays(family, {key: (slots[key][0], slots[key][1], ids) for key, ids in folded.items()})
    return sum(len(ids) for ids in members.values())


Row = tuple[int, Any]


def _rows_of(family: Family, members: dict[str, set[int]]) -> dict[str, dict[str, list[Row]]]:
    """What the rows say now about members: by key and column, pairs of member and value."""
    pairs = [(key, member) for key, ids in members.items() for member in ids]
    own_key = f"t.{family.key} = w.key{_cast(family)}" if family.key else "TRUE"
    columns = ", ".join(column.sql for column in family.columns)
    found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT w.key, w.id, {columns} FROM unnest(%s::text[], %s::bigint[]) AS w (key, id)
                JOIN {family.table} t ON t.{family.member} = w.id AND {own_key}""",
            [[key for key, _ in pairs], [member for _, member in pairs]],
        )
        for key, member, *values in cursor:
            for column, value in zip(family.columns, values, strict=True):
                if value is not None:
                    found[key][column.name].append((member, value))
    return found


def _cast(family: Family) -> str:
    return "" if family.text_key else "::bigint"


# The overlay of a slot, the one before it, and the members that changed.
Change = tuple[int | None, int | None, set[int]]


def _store_overlays(family: Family, changes: dict[str, Change]) -> None:
    """Write the next overlays of slots, all of a family together: a fold of many tags takes few statements."""
    truth = _rows_of(family, {key: ids for key, (_, _, ids) in changes.items()})
    names = [TOUCHED, *(f"{column.name}+" for column in family.columns)]
    known = cache.load([(former, name) for former, _, _ in changes.values() if former is not None for name in names])
    touched: list[int] = []
    several: list[Parts] = []
    for key, (former, _, ids) in changes.items():
        fresh = BitMap(ids)
        members = fresh if former is None else fresh | known[former, TOUCHED]
        parts = [(TOUCHED, pack(members.copy()))]
        for column in family.columns:
            name = f"{column.name}+"
            old = None if former is None else known[former, name]
            parts.append((name, _pairs(column.kind, old, fresh, truth.get(key, {}).get(column.name, []))))
        several.append(parts)
        touched.append(len(members))
    versions = _store(several)
    _drop(before for _, before, _ in changes.values())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE common_bitmapslot s SET overlay = v.overlay, overlay_before = s.overlay, touched = v.touched
            FROM unnest(%s::text[], %s::bigint[], %s::int[]) AS v (key, overlay, touched)
            WHERE s.family = %s AND s.key = v.key
            """,
            [list(changes), versions, touched, family.name],
        )


def _pairs(kind: Kind, old: Overlay | None, fresh: BitMap, found: list[Row]) -> bytes:
    """The pairs of a column: the old ones of members that did not change, and what was found of those that did."""
    known: list[Value] = [] if old is None else list(old.values)
    ids = np.array([member for member, _ in found], np.uint32)
    if kind == Kind.NUMBER:
        codes = np.array([value for _, value in found], np.int64)
    else:
        places = {value: place for place, value in enumerate(known)}
        for _, value in found:
            if value not in places:
                places[value] = len(places)
        known = list(places)
        codes = np.array([places[value] for _, value in found], np.int64)
    if old is not None:
        kept = ~np.isin(old.ids, ids_of(fresh))
        ids, codes = np.concatenate([old.ids[kept], ids]), np.concatenate([old.codes[kept], codes])
    return msgspec.msgpack.encode(Pairs(ids.tobytes(), codes.tobytes(), known))
