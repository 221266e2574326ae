"""A message as one real member would get it, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from campaigns.channels.base import Outgoing
from campaigns.queries import contents
from members.queries import contacts, scopes
from scrm.common.access import Actor
from tags.queries import segments


@dataclass(frozen=True, slots=True)
class Preview:
    """`missing`: fields without a default that have no value for this member."""

    member_id: int
    member_name: str
    subject: str
    text: str
    missing: list[str]


def sample_member(*, actor: Actor, segment_id: int | None, after: int = 0, now: datetime) -> int | None:
    """A member of the segment (or any) that the actor may see: the next one after `after`, in the order of ids."""
    if segment_id is not None:
        segment = segments.get(segment_id)
        for start in (after, 0):
            ids = segments.member_ids_page(segment, actor=actor, as_of=now, after=start, size=1)
            if ids:
                return ids[0]
        return None
    scope, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT m.id FROM members_member m WHERE m.id > %s AND m.status = 'active' AND {scope}
                ORDER BY m.id LIMIT 1""",
            [after, *params],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def preview(*, subject: str, body: str, member_id: int) -> Preview | None:
    """The message for a member; None when there is no such active member. Raises `Invalid` for bad content."""
    made = compose(subject=subject, body=body, member_id=member_id)
    if made is None:
        return None
    outgoing, name, missing = made
    return Preview(member_id, name, outgoing.subject, outgoing.text, missing)


def compose(*, subject: str, body: str, member_id: int, address: str = "") -> tuple[Outgoing, str, list[str]] | None:
    """A message outside of any campaign: its links lead straight to where they lead, its id is no message's."""
    content = contents.parse(subject=subject, body=body)
    recipient = contacts.recipients(member_ids=[member_id]).get(member_id)
    if recipient is None:
        return None
    renderer = contents.renderer(content)
    signed = contents.addresses(contents.SAMPLE_MESSAGE, member_id, 0)
    values = {**contents.values(recipient), "unsubscribe_url": signed.unsubscribe_url, "open_url": signed.open_url}
    rendered = renderer.render(values, links=content.links)
    return (
        Outgoing(
            id=contents.SAMPLE_MESSAGE,
            member_id=member_id,
            address=address,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
        ),
        recipient.name,
        renderer.missing(values),
    )
