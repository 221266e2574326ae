"""Who may be contacted, on which channel and for what purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from members.enums import Channel, ConsentState, IdentityKind, Purpose
from members.models import Consent, ConsentEntry

# What a member must have to be written to on a channel; the sandbox writes to nobody.
ADDRESS_KINDS: dict[str, IdentityKind] = {
    Channel.EMAIL: IdentityKind.EMAIL,
    Channel.SMS: IdentityKind.PHONE,
    Channel.WECOM: IdentityKind.EXTERNAL_USERID,
    Channel.OFFICIAL_ACCOUNT: IdentityKind.OPENID,
    Channel.APP_PUSH: IdentityKind.DEVICE,
}


def _asks(channel: str, purpose: str) -> bool:
    """Whether silence is a no: for marketing that reaches a person. The sandbox shows messages on a page only."""
    return purpose == Purpose.MARKETING and channel != Channel.SANDBOX


def allowed(*, member_ids: Iterable[int], channel: str, purpose: str = Purpose.MARKETING) -> set[int]:
    """Those of `member_ids` whose latest answer is yes.

    Never asked means no for marketing; for service, and in the sandbox, it means yes: there only a withdrawal counts.
    """
    return _answers(list(member_ids), channel, purpose, lock="")


def hold_allowed(*, member_ids: Iterable[int], channel: str, purpose: str = Purpose.MARKETING) -> set[int]:
    """Like `allowed`, and nobody's answer changes until this transaction ends.

    An answer that is being changed right now is waited for, so a withdrawal that committed before is always seen and
    one that has not waits until the caller has committed. Call it inside a transaction.
    """
    return _answers(list(member_ids), channel, purpose, lock="FOR SHARE")


def _answers(member_ids: list[int], channel: str, purpose: str, *, lock: str) -> set[int]:
    with connection.cursor() as cursor:
        # Locked in the order of the members, as `record` writes them: two of us never wait for each other.
        cursor.execute(
            f"""SELECT member_id, state FROM members_consent
                WHERE member_id = ANY(%s) AND channel = %s AND purpose = %s ORDER BY member_id {lock}""",
            [member_ids, channel, purpose],
        )
        answers = dict(cursor.fetchall())
    if not _asks(channel, purpose):
        return {member for member in member_ids if answers.get(member) != ConsentState.WITHDRAWN}
    return {member for member, state in answers.items() if state == ConsentState.GRANTED}


def allowed_sql(channel: str, purpose: str = Purpose.MARKETING) -> tuple[str, list[Any]]:
    """The same question as a boolean SQL expression over a `members_member` alias `m`, with its parameters."""
    verb, state = (
        ("EXISTS", ConsentState.GRANTED) if _asks(channel, purpose) else ("NOT EXISTS", ConsentState.WITHDRAWN)
    )
    return (
        f"{verb} (SELECT 1 FROM members_consent c WHERE c.member_id = m.id AND c.channel = %s"
        " AND c.purpose = %s AND c.state = %s)",
        [channel, purpose, state.value],
    )


def address_sql(channel: str) -> tuple[str, list[Any]]:
    """Whether the member behind alias `m` has an address on the channel: a boolean SQL expression."""
    kind = ADDRESS_KINDS.get(channel)
    if kind is None:
        return "TRUE", []
    return (
        "EXISTS (SELECT 1 FROM members_identity i WHERE i.member_id = m.id AND i.kind = %s)",
        [kind.value],
    )


def reachable_sql(channel: str, purpose: str = Purpose.MARKETING) -> tuple[str, list[Any]]:
    """Whether the member behind alias `m` is active, has an address on the channel and allows the purpose."""
    consent, consent_params = allowed_sql(channel, purpose)
    address, address_params = address_sql(channel)
    return f"(m.status = 'active' AND {consent} AND {address})", [*consent_params, *address_params]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a member said last about one channel and purpose; `state` is empty when never asked."""

    channel: str
    purpose: str
    state: str
    at: datetime | None


def of_member(member_id: int) -> list[Answer]:
    """A member's present answers on every channel, in the order of the channels; marketing and service."""
    known = {
        (row.channel, row.purpose): row
        for row in Consent.objects.filter(member_id=member_id).only("channel", "purpose", "state", "at")
    }
    answers = []
    for channel in Channel:
        for purpose in Purpose:
            row = known.get((channel.value, purpose.value))
            answers.append(Answer(channel.value, purpose.value, row.state if row else "", row.at if row else None))
    return answers


def history(member_id: int, *, limit: int = 50) -> list[ConsentEntry]:
    """Everything a member said, latest first."""
    return list(ConsentEntry.objects.filter(member_id=member_id).order_by("-at", "-id")[:limit])
