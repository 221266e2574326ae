"""Turning a campaign's or a template's words into messages for members."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns.enums import ChannelKind
from campaigns.rules import content as contents
from campaigns.rules import tokens
from campaigns.rules.content import Content
from campaigns.rules.expressions import TemplateProblem
from campaigns.rules.rendering import Renderer
from members.enums import Gender
from members.queries.contacts import Recipient
from scrm.common.errors import Invalid

# What an e-mail looks like. Mail programs need tables and styles on the elements; this is not a page of the console.
EMAIL_LAYOUT = """<!doctype html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><style>
body{margin:0;background:#f3f4f6;font:16px/1.7 -apple-system,"PingFang SC","Microsoft YaHei",sans-serif;color:#1f2937}
h1{font-size:22px;line-height:1.35;margin:0 0 16px}p{margin:0 0 16px}a{color:#0b63ce}
a.button{display:inline-block;background:#0b63ce;color:#fff;padding:11px 26px;border-radius:8px;text-decoration:none}
.frame{max-width:600px;margin:0 auto;padding:24px 16px}.card{background:#fff;border-radius:12px;padding:32px 28px}
.foot{color:#6b7280;font-size:13px;text-align:center;padding:20px 8px}.foot a{color:#6b7280}
</style></head><body><div class="frame"><div class="card">
{{ body }}
</div><div class="foot">{{ brand.name }} · <a href="{{ unsubscribe_url }}">{{ words.unsubscribe }}</a></div></div>
<img src="{{ open_url }}" width="1" height="1" alt=""></body></html>"""

SAMPLE_MESSAGE = UUID(int=0)


@lru_cache(maxsize=1)
def signing_key() -> bytes:
    """The key of the links in messages, derived from the installation's secret."""
    return hashlib.sha256(b"campaigns.links:" + settings.SECRET_KEY.encode()).digest()


def parse(*, subject: str, body: str) -> Content:
    """A checked message. Raises `Invalid` with the problem's code, the field and the line."""
    try:
        return contents.parse(subject=subject, body=body)
    except TemplateProblem as problem:
        words = _PROBLEMS[problem.code]() % {"subject": problem.subject}
        if problem.line:
            words = _("Line %(line)d: %(problem)s") % {"line": problem.line, "problem": words}
        raise Invalid(
            words, code=problem.code, field="body" if problem.line else "subject", line=problem.line
        ) from problem


def renderer(content: Content) -> Renderer:
    """The content ready to be filled in, in the brand's language."""
    with translation.override(settings.LANGUAGE_CODE):
        words = {"unsubscribe": _("Unsubscribe")}
    return Renderer(content, layout=EMAIL_LAYOUT, words=words)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The signed addresses that one message carries."""

    open_url: str
    unsubscribe_url: str
    links: list[str]


def addresses(message_id: UUID, member_id: int, link_count: int) -> Addresses:
    """Sign the addresses of a message: its pixel, its way out, and one per link of the content."""
    key = signing_key()
    root = settings.PUBLIC_URL.rstrip("/")

    def url(kind: str, position: int = 0) -> str:
        return tokens.sign(key, kind, tokens.Token(message_id, member_id, position))

    return Addresses(
        open_url=f"{root}{_prefix('track_open')}{url(tokens.OPEN)}.gif",
        unsubscribe_url=f"{root}{_prefix('unsubscribe')}{url(tokens.UNSUBSCRIBE)}",
        links=[f"{root}{_prefix('track_click')}{url(tokens.CLICK, n)}" for n in range(link_count)],
    )


@lru_cache(maxsize=8)
def _prefix(route: str) -> str:
    return reverse(route, args=["0"]).rstrip("gif").rstrip(".").removesuffix("0")


def values(recipient: Recipient) -> dict[str, Any]:
    """What a message may say about its reader."""
    return {
        "member": {
            "name": recipient.name,
            "gender_title": _titles().get(recipient.gender, ""),
            "city": recipient.city,
        },
        "store": {"name": recipient.store_name},
        "brand": {"name": settings.BRAND_NAME},
    }


@lru_cache(maxsize=1)
def _titles() -> dict[str, str]:
    with translation.override(settings.LANGUAGE_CODE):
        return {Gender.FEMALE.value: _("Ms."), Gender.MALE.value: _("Mr.")}


def fields() -> Sequence[tuple[str, str]]:
    """The fields an operator can put in, with what they are called: (source to insert, label)."""
    return (
        ('{{ member.name | default("' + _("friend") + '") }}', pgettext("member", "Name")),
        ("{{ member.gender_title }}", _("Form of address")),
        ("{{ member.city }}", _("City")),
        ("{{ store.name }}", _("Store")),
        ("{{ brand.name }}", _("Brand")),
        (f"[{_('Unsubscribe')}](" + "{{ unsubscribe_url }})", _("Unsubscribe link")),
    )


def needs_html(channel: str) -> bool:
    return channel == ChannelKind.EMAIL


_PROBLEMS: dict[str, Any] = {
    "too_long": lambda: _("The text is longer than %(subject)s characters."),
    "forbidden_character": lambda: _("The text contains a character that cannot be sent."),
    "too_many_tags": lambda: _("More than %(subject)s fields are used."),
    "too_many_links": lambda: _("More than %(subject)s links are used."),
    "if_not_closed": lambda: _("An “if” has no “endif”."),
    "if_not_open": lambda: _("“%(subject)s” has no “if” before it."),
    "tag_not_closed": lambda: _("“%(subject)s” is not closed or not opened."),
    "unknown_field": lambda: _("There is no field “%(subject)s”."),
    "unknown_filter": lambda: _("There is no filter “%(subject)s”."),
    "unknown_tag": lambda: _("“%(subject)s” cannot be used here."),
    "bad_expression": lambda: _("“%(subject)s” is not understood."),
    "too_deep": lambda: _("More than %(subject)s “if” inside each other."),
    "bad_link": lambda: _("“%(subject)s” is not an http or https address."),
    "link_not_literal": lambda: _("A link’s address may not contain fields."),
    "line_break": lambda: _("The subject must be one line."),
}
