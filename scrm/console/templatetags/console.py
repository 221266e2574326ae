"""Tags and filters of every console template; a builtin library, so templates need no `load`.

Numbers that are missing are shown as an em dash, never as 0: "unknown" and "none" are different facts.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django import forms, template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.forms.boundfield import BoundField
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString

from scrm.common import display
from scrm.common.display import MISSING, ago, day, integer, listed, moment, money, through

register = template.Library()
for written in (money, integer, ago, day, moment, through, listed):
    register.filter(written.__name__, written)


# --- icons and pictures -------------------------------------------------------------------------------------------


@functools.cache
def _sprite_version() -> str:
    """Eight digits that change with the sprite, so that a browser never keeps a sprite without a new icon."""
    path = finders.find("console/icons.svg")
    if not isinstance(path, str):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:8]


@register.simple_tag
@functools.lru_cache(maxsize=1_024)
def icon(name: str, css: str = "") -> SafeString:
    """`{% icon "users" %}`: a decorative icon of the sprite. The text beside it (or aria-label) carries the meaning.

    A page has dozens of them, templates a few hundred in all: each is written once per process.
    """
    version = f"?v={_sprite_version()}" if settings.DEBUG is False and _sprite_version() else ""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}{}#{}"></use></svg>',
        css,
        static("console/icons.svg"),
        version,
        name,
    )


@register.simple_tag
def sparkline(values: Iterable[float | int | None] | None, css: str = "") -> SafeString | str:
    """A small trend line drawn on the server: no script, nothing to wait for. Fewer than two values draw nothing."""
    points = [float(value) for value in values or () if value is not None]
    if len(points) < 2:
        return ""
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    step = 120 / (len(points) - 1)
    line = " ".join(f"{i * step:.1f},{34 - (value - low) / span * 30:.1f}" for i, value in enumerate(points))
    return format_html(
        '<svg class="sparkline {}" viewBox="0 0 120 38" preserveAspectRatio="none" aria-hidden="true">'
        '<polygon points="0,38 {} 120,38"></polygon><polyline points="{}"></polyline></svg>',
        css,
        line,
        line,
    )


# --- numbers ------------------------------------------------------------------------------------------------------


def _compact(number: Decimal) -> str:
    """12.3万 and 4.56亿 for Chinese readers, 123K, 4.6M and 1.2B for English ones; below that, grouped digits."""
    chinese = (translation.get_language() or "").startswith("zh")
    units = (
        [(Decimal(10**8), "亿"), (Decimal(10**4), "万")]
        if chinese
        else [(Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**4), "K")]
    )
    for size, unit in units:
        if abs(number) >= size:
            scaled = number / (Decimal(1000) if unit == "K" else size)
            text = display.grouped(scaled, 1 if abs(scaled) >= 100 else 2)
            return f"{text.rstrip('0').rstrip('.')}{unit}"
    return display.grouped(number, 0)


SIGNS = {"CNY": "¥", "GBP": "£", "USD": "$", "EUR": "€"}


@register.filter
def money_short(minor: Any, currency: str = "CNY") -> str:
    """Minor units where space is short: 1234567890 → ¥1,234.57万 or ¥12.35M. Not for amounts that must be exact."""
    number = display.decimal(minor)
    if number is None:
        return MISSING
    yuan = number / 100
    sign = SIGNS.get(currency, f"{currency} ")
    return f"{'-' if yuan < 0 else ''}{sign}{_compact(abs(yuan))}"


@register.filter
def compact(value: Any) -> str:
    """A count where space is short: 1234567 → 123.5万 or 1.23M."""
    number = display.decimal(value)
    return MISSING if number is None else _compact(number)


@register.filter
def percent(ratio: Any, places: int = 1) -> str:
    """A ratio as per cent: 0.1234 → 12.3%."""
    number = display.decimal(ratio)
    return MISSING if number is None else f"{display.grouped(number * 100, places)}%"


@register.filter
def signed_percent(ratio: Any) -> str:
    """A change as per cent with its sign, so that colour never speaks alone: 0.021 → +2.1%."""
    number = display.decimal(ratio)
    if number is None:
        return MISSING
    return f"{'+' if number > 0 else ''}{display.grouped(number * 100, 1)}%"


@register.filter
def share_of(part: Any, whole: Any) -> float | None:
    """`part / whole` as a ratio for `percent`; None when the whole is missing or zero."""
    top, bottom = display.decimal(part), display.decimal(whole)
    return float(top / bottom) if top is not None and bottom else None


@register.filter
def mask(value: Any) -> str:
    """Personal data of unknown kind with its middle hidden: 13812345678 → 138****5678."""
    text = str(value or "")
    if not text:
        return MISSING
    if "@" in text:
        name, _at, domain = text.partition("@")
        return f"{name[:1]}***@{domain}"
    if len(text) >= 8:
        return f"{text[:3]}****{text[-4:]}"
    return f"{text[:1]}{'*' * max(len(text) - 1, 1)}"


# --- addresses and forms --------------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def query_replace(context: template.Context, **changes: Any) -> str:
    """`{% query_replace sort="-spent" cursor=None %}`: this page's query with values replaced; None removes one.

    The cursor always goes, unless it is given: a changed filter starts at the first page.
    """
    request: HttpRequest | None = context.get("request")
    query = request.GET.copy() if request else None
    if query is None:
        return "?"
    for name, value in {"cursor": None, **changes}.items():
        if value is None or value == "":
            query.pop(name, None)
        elif isinstance(value, list | tuple):
            query.setlist(name, [str(item) for item in value])
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def hidden_query(context: template.Context, *leave_out: str) -> list[tuple[str, str]]:
    """(name, value) pairs of this page's query, for hidden inputs of a form that must keep the rest of the state."""
    request: HttpRequest | None = context.get("request")
    if request is None:
        return []
    skipped = {"cursor", *leave_out}
    return [(name, value) for name, values in request.GET.lists() if name not in skipped for value in values]


@register.simple_tag
def control(field: BoundField, **attributes: Any) -> SafeString:
    """The field's widget in the console's look, tied to its help text and errors. Underscores become hyphens."""
    widget = field.field.widget
    multiple = isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple)
    if isinstance(widget, forms.CheckboxInput) or multiple:
        css = "form-check-input"
    elif isinstance(widget, forms.Select):
        css = "form-select"
    else:
        css = "form-control"
    attrs: dict[str, Any] = {
        "class": " ".join(filter(None, [css, "is-invalid" if field.errors else "", widget.attrs.get("class")]))
    }
    described = [f"{field.id_for_label or field.auto_id}_{part}" for part, there in _descriptions(field) if there]
    if described and not multiple:
        attrs["aria-describedby"] = " ".join(described)
    if field.errors:
        attrs["aria-invalid"] = "true"
    attrs |= {name.replace("_", "-"): value for name, value in attributes.items()}
    return field.as_widget(attrs=attrs)


def _descriptions(field: BoundField) -> Sequence[tuple[str, bool]]:
    return [("help", bool(field.help_text)), ("error", bool(field.errors))]


@register.filter
def control_kind(field: BoundField) -> str:
    """ "check", "options" or "text": how a field is laid out around its control."""
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "options"
    return "check" if isinstance(widget, forms.CheckboxInput) else "text"
