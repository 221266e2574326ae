"""Rows of a form that list rewards: how they are read and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from members.enums import GrantItem
from members.queries.task_words import Words

_BLANK = 2


def kinds(words: Words) -> list[tuple[str, str]]:
    """What a reward can be: (value, label), the kinds of points by name."""
    return [
        *((f"points:{key}", name) for key, name in words.currencies.items()),
        ("benefit:", _("Benefit")),
        *((f"grant:{item.value}", str(item.label)) for item in GrantItem),
    ]


def read(data: Any, name: str) -> list[dict[str, Any]]:
    """The rewards of the rows called `name`; rows without a number are left out. What is no number is kept to be
    refused where rewards are checked.
    """
    found: list[dict[str, Any]] = []
    rows = zip(
        data.getlist(f"{name}_kind"), data.getlist(f"{name}_amount"), data.getlist(f"{name}_key"), strict=False
    )  # fmt: skip
    for kind, amount, key in rows:
        if not amount.strip():
            continue
        size = int(amount) if amount.strip().isdecimal() and len(amount) < 16 else 0
        what, _colon, of = kind.partition(":")
        match what:
            case "points":
                found.append({"kind": "points", "currency": of, "amount": size})
            case "benefit":
                found.append({"kind": "benefit", "key": key.strip(), "quantity": size})
            case _:
                found.append({"kind": "grant", "item": of, "key": key.strip(), "quantity": size})
    return found


def shown(rewards: Sequence[dict[str, Any]], *, blank: int = _BLANK) -> list[dict[str, Any]]:
    """The rows of saved rewards, and some that are empty."""
    rows = [
        {
            "kind": f"{one['kind']}:{one.get('currency') or one.get('item') or ''}",
            "amount": one.get("amount") or one.get("quantity") or "",
            "key": one.get("key", ""),
        }
        for one in rewards
    ]
    return [*rows, *({"kind": "points:points", "amount": "", "key": ""} for _n in range(blank))][:10]
