"""What a page gets back from the condition builder."""

from __future__ import annotations

from typing import Any

import pytest

from scrm.common import condition_editors
from scrm.common.conditions import BadCondition

LEAF = {"field": "order.count", "op": "ge", "value": 2}


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", None),
        ("  ", None),
        ('{"all":[]}', None),
        ('{"version":1,"any":[]}', None),
        ('{"all":[{"field":"order.count","op":"ge","value":2}]}', {"all": [LEAF]}),
        ('{"field":"order.count","op":"ge","value":2}', LEAF),
    ],
)
def test_a_tree_without_a_leaf_is_no_condition(text: str, tree: Any) -> None:
    assert condition_editors.built(text) == tree


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(BadCondition):
        condition_editors.built("{")
