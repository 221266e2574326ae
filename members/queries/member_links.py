"""Who may see a member's own pages: whoever holds a signed link, until it ends."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from members.enums import MemberStatus
from members.models import Member
from members.rules import member_links as rules
from scrm.common.errors import DomainError, NotFound

# A merged member's links lead to the survivor; merges of merges are followed so far.
_MOST_MERGES = 10


class LinkEnded(DomainError):
    """The link was right and is over."""

    code = "link_ended"
    status = 410


def member_of(*, token: str, now: datetime) -> Member:
    """The member whose pages the token opens.

    Raises `NotFound` (`unknown_link`) for a token that nobody here has made, or whose member is erased, and
    `LinkEnded`.
    """
    link = rules.read(key(), token)
    if link is None:
        raise NotFound("There is no such page.", code="unknown_link")
    if link.expires_at <= now:
        raise LinkEnded("The link has ended.")
    member = Member.objects.filter(pk=link.member_id).first()
    for _ in range(_MOST_MERGES):
        if member is None or member.status != MemberStatus.MERGED:
            break
        member = member.merged_into
    if member is None or member.status != MemberStatus.ACTIVE:
        raise NotFound("There is no such page.", code="unknown_link")
    return member


def key() -> bytes:
    """What links are signed with."""
    return str(settings.SECRET_KEY).encode()
