"""What a custom attribute may be called and hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from members.enums import AttributeType

# A field of conditions over an attribute is this and the attribute's key.
PREFIX = "attribute."
LONGEST_KEY = 40
LONGEST_LABEL = 40
MOST_CHOICES = 200
LONGEST_CHOICE = 60
MOST_ATTRIBUTES = 200


def read(kind: str, value: Any) -> Any:
    """A stored value as what the type says, or None when it is nothing of the kind: then it counts as unset."""
    if value is None or isinstance(value, dict | list):
        return None
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    match kind:
        case AttributeType.NUMBER:
            return int(text.split(".")[0]) if re.fullmatch(r"-?[0-9]{1,18}(\.0+)?", text) else None
        case AttributeType.DATE:
            try:
                return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
            except ValueError:
                return None
        case AttributeType.YES_NO:
            return {"true": True, "false": False}.get(text)
        case _:
            return text or None


def usable_key(text: str) -> bool:
    """Whether an attribute may be called so: printable, without spaces around it."""
    return 0 < len(text) <= LONGEST_KEY and text == text.strip() and text.isprintable()


def usable_choices(choices: Sequence[str]) -> bool:
    """Whether the list can be chosen from: some values, all different, printable and not too long."""
    return (
        0 < len(choices) <= MOST_CHOICES
        and len(set(choices)) == len(choices)
        and all(0 < len(one) <= LONGEST_CHOICE and one == one.strip() and one.isprintable() for one in choices)
    )
