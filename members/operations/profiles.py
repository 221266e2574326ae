"""Changing what is known about one member, and looking at what is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypedDict

from django.utils.translation import gettext as _

from members.enums import Gender
from members.models import Identity, Member, Staff, Store
from members.queries import directory, profiles
from scrm.common import audit, clock, encryption, reactions
from scrm.common.access import Actor, Permission
from scrm.common.errors import Conflict, Forbidden, Invalid, NotFound
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

MOST_ATTRIBUTES = 50
LONGEST_KEY = 40
LONGEST_VALUE = 300
_LENGTHS = {"name": 60, "city": 40, "province": 40}


class Changes(TypedDict, total=False):
    """What may be edited; only what is present changes. `attributes` replaces all custom attributes."""

    name: str
    gender: str
    birth_on: date | None
    city: str
    province: str
    store_id: int | None
    owner_id: int | None
    attributes: Mapping[str, Any]


def edit(*, actor: Actor, member_id: int, changes: Changes, seen_at: datetime, now: datetime) -> Member:
    """Change a member's profile, if it is still as the editor saw it (`seen_at`: its `updated_at` then).

    Raises `NotFound` (outside the actor's scope), `Invalid` naming the field, `Forbidden` (code `leaves_scope`: the
    editor would lose sight of the member) and `Conflict` (code `changed_meanwhile`).
    """
    if not actor.may(Permission.MEMBERS_EDIT):
        raise Forbidden(_("You may not change members."))
    values = _checked(changes, now)
    with atomic():
        profiles.get(member_id=member_id, actor=actor)
        member = Member.objects.select_for_update(of=("self",)).get(pk=member_id)
        if member.updated_at != seen_at:
            raise Conflict(
                _("Somebody changed this member meanwhile. Look at the present values and save again."),
                code="changed_meanwhile",
                updated_at=member.updated_at.isoformat(),
            )
        for name, value in values.items():
            setattr(member, name, value)
        member.updated_at = now
        member.save(update_fields=[*values, "updated_at"])
        if not directory.visible(actor).filter(pk=member_id).exists():
            raise Forbidden(
                _("The member would no longer be within your data scope."), code="leaves_scope", field="store"
            )
        topics = frozenset({"profile", "attribute"} if "attributes" in values else {"profile"})
        reactions.run(Facts(now=now, member_ids=[member_id], topics=topics))
    return profiles.get(member_id=member_id, actor=actor)


def _checked(changes: Changes, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = dict(changes)
    for name, longest in _LENGTHS.items():
        if name in values:
            values[name] = _text(values[name], name, longest)
    if "gender" in values and values["gender"] not in Gender.values:
        raise Invalid(_("Not a known value."), field="gender")
    born = values.get("birth_on")
    if born is not None and not date(1900, 1, 1) <= born <= clock.shop_date(now):
        raise Invalid(_("A birthday lies between 1900 and today."), code="out_of_range", field="birth_on")
    for name, model in (("store_id", Store), ("owner_id", Staff)):
        key = values.get(name)
        if key is not None and not (0 < key < 2**31 and model.objects.filter(pk=key).exists()):
            raise Invalid(_("There is no such entry."), code="unknown", field=name.removesuffix("_id"))
    if "attributes" in values:
        values["attributes"] = _attributes(values["attributes"])
    return values


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    if len(given) > MOST_ATTRIBUTES:
        raise Invalid(_("Too many attributes."), code="too_many", field="attributes")
    cleaned: dict[str, Any] = {}
    for key, value in given.items():
        name = _text(key, "attributes", LONGEST_KEY)
        if not name:
            raise Invalid(_("An attribute needs a name."), code="missing", field="attributes")
        if isinstance(value, str):
            value = _text(value, "attributes", LONGEST_VALUE)
        elif not (value is None or isinstance(value, bool | int | float)) or (
            # No JSON holds infinity, no bigint a longer number.
            not isinstance(value, bool | None) and not abs(value) < 2**63
        ):
            raise Invalid(_("An attribute is a text, a number or yes/no."), code="wrong_type", field="attributes")
        cleaned[name] = value
    return cleaned


def _text(value: object, name: str, longest: int) -> str:
    if not isinstance(value, str):
        raise Invalid(_("This has to be a text."), code="wrong_type", field=name)
    text = value.strip()
    if len(text) > longest:
        raise Invalid(_("At most %(count)s characters.") % {"count": longest}, code="too_long", field=name)
    if any(not character.isprintable() for character in text):
        raise Invalid(_("Contains a forbidden character."), code="forbidden_character", field=name)
    return text


def reveal(*, actor: Actor, member_id: int, identity_id: int, reason: str) -> str:
    """The full value of a masked identity. Every look is written to the audit log, with its reason.

    Raises `Forbidden`, `NotFound` (outside the actor's scope, or not this member's) and `Invalid` (no reason given).
    """
    if not actor.may(Permission.MEMBERS_REVEAL):
        raise Forbidden(_("You may not reveal personal data."))
    why = _text(reason, "reason", 200)
    if not why:
        raise Invalid(_("Say why you need it."), code="missing", field="reason")
    with atomic():
        profiles.get(member_id=member_id, actor=actor)
        identity = Identity.objects.filter(pk=identity_id, member_id=member_id).first()
        if identity is None:
            raise NotFound(_("There is no such identity."))
        audit.record(
            action="reveal",
            object_type="members_member",
            object_id=member_id,
            detail={"identity": identity.kind, "reason": why},
        )
        return identity.value if identity.sealed is None else encryption.unseal(bytes(identity.sealed))
