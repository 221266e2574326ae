"""Why a member fulfils a condition, made readable: what was found, in words."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from scrm.common import conditions, money
from scrm.common.conditions import Choice, FieldType, Leaf

# Of a long list of values, so many are shown.
_SHOWN = 8


class Explanation:
    """The reasons of one condition as the builder shows them: {path: {"holds", "found"}}."""

    def __init__(self) -> None:
        self._labels: dict[str, dict[Any, str]] = {}

    def nodes(self, reason: conditions.Reason) -> dict[str, dict[str, Any]]:
        """Every node by its JSON pointer. `found` is empty where nothing was found."""
        answers = {reason.path: {"holds": reason.holds, "found": self._found(reason)}}
        for child in reason.children:
            answers |= self.nodes(child)
        return answers

    def _found(self, reason: conditions.Reason) -> str:
        return self._text(reason.node, reason.found) if isinstance(reason.node, Leaf) else ""

    def _text(self, leaf: Leaf, found: Any) -> str:
        if found is None or found == "":
            return ""
        if isinstance(found, list | tuple):
            texts = [self._text(leaf, item) for item in found[:_SHOWN]]
            return ", ".join(texts) + (" …" if len(found) > _SHOWN else "")
        if isinstance(found, bool):
            return _("yes") if found else _("no")
        if isinstance(found, datetime):
            return date_format(localtime(found), "DATETIME_FORMAT")
        if isinstance(found, date):
            return date_format(found, "DATE_FORMAT")
        if leaf.field.type == FieldType.MONEY and isinstance(found, int | Decimal):
            return f"¥{money.to_decimal(round(found))}"
        if leaf.field.choices is not None:
            return self._label(leaf, found)
        if isinstance(found, Decimal | float):
            return number_format(round(Decimal(found), 4).normalize(), use_l10n=True)
        return str(found)

    def _label(self, leaf: Leaf, value: Any) -> str:
        key, choices = leaf.field.key, leaf.field.choices
        if key not in self._labels:
            listed: list[Choice] = list(choices()) if choices is not None else []
            self._labels[key] = {choice.value: str(choice.label) or str(choice.value) for choice in listed}
        return self._labels[key].get(value, str(value))
