"""The shape of one answer about being contacted, as it comes in by the API."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from members.rules.intake import DEFAULT_SOURCE, Instant, Key, MemberRef


class ConsentIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a known member said. `at` is when; the latest answer of a channel and purpose counts."""

    source: Key = DEFAULT_SOURCE
    member: MemberRef
    channel: Literal["email", "sms", "wecom", "official_account", "app_push", "sandbox"]
    purpose: Literal["marketing", "service"] = "marketing"
    state: Literal["granted", "withdrawn"]
    at: Instant
    evidence: Annotated[str, Meta(max_length=300)] = ""
