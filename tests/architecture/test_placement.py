"""Every table says where it lives, and can live there when the database is spread over machines."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from scrm.common.placement import Placement

OWN = [
    model
    for label in ("common", "members", "tags", "analytics", "campaigns")
    for model in apps.get_app_config(label).get_models()
]


@pytest.mark.parametrize("model", OWN, ids=lambda m: m._meta.label)
def test_every_table_declares_its_placement(model: type[models.Model]) -> None:
    assert isinstance(getattr(model, "placement", None), Placement)


def columns_of_unique_constraints(model: type[models.Model]) -> list[set[str]]:
    found = [set(c.fields) for c in model._meta.constraints if isinstance(c, models.UniqueConstraint)]
    found += [{field.name} for field in model._meta.local_fields if field.unique and not field.primary_key]
    return found


@pytest.mark.parametrize(
    "model", [m for m in OWN if getattr(m, "placement", None) == Placement.MEMBER], ids=lambda m: m._meta.label
)
def test_member_tables_are_spread_by_member(model: type[models.Model]) -> None:
    names = {field.attname for field in model._meta.local_fields}
    assert "member_id" in names or model._meta.label == "members.Member"
    if "member_id" in names:
        assert [unique for unique in columns_of_unique_constraints(model) if "member" not in unique] == []
