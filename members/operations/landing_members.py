"""What a batch of profiles does to what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from members.enums import Rejection
from members.operations import columns, identities, references
from members.operations.identities import Claim
from members.rules.identities import Named
from members.rules.intake import MemberIn, Outcome, rejected
from members.rules.rejections import ItemRejected
from scrm.common import reactions
from scrm.common.reactions import Facts

# (index of the item, (its identities, its attributes as JSON))
CheckedMember = tuple[int, tuple[list[Named], str]]
_TEXT_FIELDS = ("name", "gender", "province", "city", "country", "language", "time_zone")
# Tells "made empty" from "not given", which the columns cannot.
_EMPTIED = "\u2205"


def land(items: Sequence[MemberIn], good: list[CheckedMember], outcomes: list[Outcome], *, now: datetime) -> None:
    """Make or update the members and fill in the outcomes. Inside the batch's transaction."""
    store_of = references.store_ids(item.store for item in items if item.store is not None)
    staff_of = references.staff_ids(item.owner for item in items if item.owner is not None)
    kept = []
    for index, value in good:
        item = items[index]
        if item.store is not None and item.store not in store_of:
            outcomes[index] = rejected(ItemRejected(Rejection.UNKNOWN_STORE, "store"))
        elif item.owner is not None and item.owner not in staff_of:
            outcomes[index] = rejected(ItemRejected(Rejection.INVALID, "owner"))
        else:
            kept.append((index, value))
    if not kept:
        return
    source_of = references.source_ids({items[index].source for index, _ in kept})
    resolution = identities.resolve(
        [
            Claim(
                items[index].member_id,
                named,
                source_of[items[index].source],
                min(items[index].joined_at or now, now),
                f"member {items[index].source}",
            )
            for index, (named, _) in kept
        ]
    )
    profiles: dict[int, dict[str, Any]] = {}
    member_of: dict[int, int] = {}
    creators = {kept[claim][0] for claim in resolution.creators}
    for (index, _), member in zip(kept, resolution.members, strict=True):
        if isinstance(member, ItemRejected):
            outcomes[index] = rejected(
                ItemRejected(member.code, "member_id") if member.field == "member.member_id" else member
            )
            continue
        member_of[index] = member
        _merge(profiles.setdefault(member, {"attributes": {}}), items[index], store_of, staff_of)
    identities.lock_members(list(profiles))
    changed = _write(profiles, now) | resolution.masks.keys()
    identities.show_masks(resolution.masks)
    for index, member in member_of.items():
        status = "accepted" if index in creators else "updated" if member in changed else "duplicate"
        outcomes[index] = Outcome(status, id=str(member))  # type: ignore[arg-type]
    has_attributes = any(profile["attributes"] for profile in profiles.values())
    reactions.run(
        Facts(
            now=now,
            member_ids=sorted(changed | resolution.attached | set(resolution.created)),
            created_member_ids=resolution.created,
            topics=resolution.topics | ({"profile", "attribute"} if has_attributes else {"profile"}),
            members_of={**resolution.members_of, "profile": changed | set(resolution.created)},
        )
    )


def _merge(profile: dict[str, Any], item: MemberIn, store_of: dict[str, int], staff_of: dict[str, int]) -> None:
    """Lay an item over what earlier items of the batch said."""
    for name in _TEXT_FIELDS:
        value = getattr(item, name)
        if value is not None:
            profile[name] = value.strip() or _EMPTIED
    if item.birth_on is not None:
        profile["birth_on"] = item.birth_on
    if item.joined_at is not None:
        profile["joined_at"] = item.joined_at
    if item.store is not None:
        profile["store_id"] = store_of[item.store]
    if item.owner is not None:
        profile["owner_id"] = staff_of[item.owner]
    profile["attributes"].update(item.attributes)


def _write(profiles: dict[int, dict[str, Any]], now: datetime) -> set[int]:
    """Bring the members up to date; the ids of those that changed."""
    members = sorted(profiles)
    listed = [profiles[member] for member in members]
    texts = ", ".join(columns.TEXTS for _ in _TEXT_FIELDS)
    new = {
        name: f"CASE WHEN t.{name} = '{_EMPTIED}' THEN '' ELSE COALESCE(t.{name}, m.{name}) END"
        for name in _TEXT_FIELDS
    }
    new |= {name: f"COALESCE(t.{name}, m.{name})" for name in ("joined_at", "store_id", "owner_id")}
    new["birth_on"] = "COALESCE(t.birth_on::date, m.birth_on)"
    new["attributes"] = "m.attributes || t.attributes::jsonb"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE members_member m SET {", ".join(f"{name} = {value}" for name, value in new.items())}, updated_at = %s
            FROM unnest(%s::bigint[], {texts}, {columns.TEXTS}, %s::timestamptz[], %s::bigint[], %s::bigint[],
                        {columns.TEXTS})
                 AS t (id, {", ".join(_TEXT_FIELDS)}, birth_on, joined_at, store_id, owner_id, attributes)
            WHERE m.id = t.id
              AND ROW({", ".join(f"m.{name}" for name in new)}) IS DISTINCT FROM ROW({", ".join(new.values())})
            RETURNING m.id
            """,
            [
                now,
                columns.integers(members),
                *(columns.texts(one.get(name) for one in listed) for name in _TEXT_FIELDS),
                columns.texts(one["birth_on"].isoformat() if "birth_on" in one else None for one in listed),
                columns.instants(one.get("joined_at") for one in listed),
                columns.integers(one.get("store_id") for one in listed),
                columns.integers(one.get("owner_id") for one in listed),
                columns.texts(msgspec.json.encode(one["attributes"]).decode() for one in listed),
            ],
        )
        return {member_id for (member_id,) in cursor.fetchall()}
