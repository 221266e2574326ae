"""The Segment tracking calls (identify, track, page, screen, group, alias) in the words of the intake. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from members.enums import Rejection
from members.rules import facts, rejections
from members.rules.intake import EventIn, MemberIn, read_item
from members.rules.rejections import LATEST_AHEAD, ItemRejected

SOURCE = "tracking"
CALLS = ("identify", "track", "page", "screen", "group", "alias")
_GENDERS = {"f": "f", "female": "f", "女": "f", "m": "m", "male": "m", "男": "m"}
_ADDRESS = {"city": "city", "state": "province", "country": "country"}
# What a field of the intake is called in the sender's message.
_FIELDS = {
    "message_id": "messageId",
    "type": "event",
    "occurred_at": "timestamp",
    "member": "userId",
    "app_user": "userId",
    "device": "anonymousId",
    "email": "traits.email",
    "phone": "traits.phone",
    "name": "traits.name",
    "gender": "traits.gender",
    "birth_on": "traits.birthday",
    "city": "traits.address.city",
    "province": "traits.address.state",
    "country": "traits.address.country",
    "attributes": "traits",
}


class Message(NamedTuple):
    """One call: what is kept on the timeline, and the profile that an identify brings."""

    event: EventIn
    profile: MemberIn | None = None


def read_message(raw: Any, *, call: str | None, now: datetime) -> Message:
    """A call as it was sent; `call` is what the route says, None where the message names its `type`.

    Raises `ItemRejected` with the sender's name of the field. Without a `messageId` the digest of the content stands
    in, so that the same content sent again is still the same fact; without a `timestamp` it happened now.
    """
    if not isinstance(raw, dict):
        raise ItemRejected(Rejection.NOT_AN_OBJECT)
    kind = call or raw.get("type")
    if kind not in CALLS:
        raise ItemRejected(Rejection.INVALID if "type" in raw else Rejection.MISSING, "type")
    try:
        return _message(raw, kind, now)
    except ItemRejected as error:
        raise ItemRejected(error.code, sent_name(error.field)) from error


def sent_name(field: str) -> str:
    """What the sender calls a field of the intake: member.app_user → userId."""
    name = field.removeprefix("member.")
    first, _, rest = name.partition(".")
    if first == "attributes":
        return f"traits.{rest}" if rest else "traits"
    return _FIELDS.get(name, name)


def _message(raw: dict[str, Any], kind: str, now: datetime) -> Message:
    traits = _object(raw, "traits") if kind in ("identify", "group") else {}
    member = {"app_user": _identifier(raw, "userId"), "device": _identifier(raw, "anonymousId")}
    if kind == "identify":
        member |= {"email": traits.get("email") or None, "phone": _text(traits.get("phone")) or None}
    elif kind == "alias":
        member["device"] = member["device"] or _identifier(raw, "previousId")
    member = {name: value for name, value in member.items() if value is not None}
    event = read_item(
        EventIn,
        {
            "source": SOURCE,
            "message_id": raw.get("messageId") or _digest(raw),
            "type": raw.get("event") if kind == "track" else kind,
            "occurred_at": raw.get("timestamp") or raw.get("originalTimestamp") or now,
            "member": member,
            "properties": _properties(raw, kind, traits),
        },
    )
    if kind != "identify":
        return Message(event)
    profile = read_item(MemberIn, {"source": SOURCE, **member, **_profile(traits)})
    # Checked before anything is kept, so that an identify is taken as a whole or not at all.
    facts.check_member(profile, now + LATEST_AHEAD)
    rejections.properties_json(profile.attributes, "attributes")
    return Message(event, profile)


def _properties(raw: dict[str, Any], kind: str, traits: dict[str, Any]) -> dict[str, Any]:
    if kind == "identify":  # its traits are personal: they go to the profile, not to the timeline
        return {}
    if kind == "group":
        return {"group_id": raw.get("groupId"), **traits}
    named = {key: raw[key] for key in ("name", "category") if raw.get(key) is not None and kind in ("page", "screen")}
    return named | _object(raw, "properties")


def _profile(traits: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a profile among the traits; all others become attributes."""
    rest = {key: value for key, value in traits.items() if key not in ("email", "phone")}
    profile: dict[str, Any] = {}
    first, last = rest.pop("firstName", None), rest.pop("lastName", None)
    name = rest.pop("name", None)
    if name is None and (first or last):
        given = [str(part) for part in (first, last) if part]
        # 王小明, but Ada Lovelace.
        name = " ".join(given) if all(part.isascii() for part in given) else "".join(reversed(given))
    if name is not None:
        profile["name"] = name
    if (gender := rest.pop("gender", None)) is not None:
        profile["gender"] = _GENDERS.get(str(gender).strip().lower(), "")
    if (birthday := rest.pop("birthday", None)) is not None:
        profile["birth_on"] = _day(birthday)
    address = rest.get("address")
    if isinstance(address, dict):
        profile |= {ours: address[theirs] for theirs, ours in _ADDRESS.items() if address.get(theirs) is not None}
    profile["attributes"] = rest
    return profile


def _day(value: Any) -> date:
    """A birthday: a date, or the date part of an instant."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise ItemRejected(Rejection.INVALID, "birth_on") from error


def _object(raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ItemRejected(Rejection.WRONG_TYPE, name)
    return value


def _identifier(raw: dict[str, Any], name: str) -> str | None:
    value = _text(raw.get(name))
    if value is not None and not isinstance(value, str):
        raise ItemRejected(Rejection.WRONG_TYPE, name)
    return value or None


def _text(value: Any) -> Any:
    """Senders write numbers for ids and phones; they mean the digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _digest(raw: dict[str, Any]) -> str:
    content = {key: value for key, value in raw.items() if key not in ("messageId", "sentAt")}
    try:
        encoded = msgspec.json.encode(content, order="sorted")
    except UnicodeEncodeError as error:
        raise ItemRejected(Rejection.FORBIDDEN_CHARACTER) from error
    except RecursionError as error:
        raise ItemRejected(Rejection.OUT_OF_RANGE) from error
    return f"sha256-{hashlib.sha256(encoded).hexdigest()}"
