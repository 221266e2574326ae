"""Benefits for tests, with the fewest words."""

from __future__ import annotations

from typing import Any

from members.models import Benefit
from members.operations import benefit_catalogue
from members.operations.benefit_catalogue import Content, RuleIn
from tests.factories import NOW


def make_benefit(key: str = "parking", kind: str = "service", *, quota: int | None = 2, **values: Any) -> Benefit:
    """An active benefit for everybody, `quota` times a month unless said otherwise."""
    values.setdefault("rules", [RuleIn("", quota, values.pop("period", "month"))])
    values.setdefault("name", f"权益 {key}")
    made = benefit_catalogue.create(key=key, kind=kind, content=Content(**values))
    return benefit_catalogue.activate(benefit_id=made.pk, now=NOW)
