"""What segments are made of besides a condition: exclusions, parts, regions of a diagram, ready-made ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrm.common.conditions.named import segments_named
from tags.rules import segments, templates

CITY = {"field": "city", "op": "eq", "value": "上海"}
LEAVES = st.sampled_from([CITY, {"field": "age", "op": "ge", "value": 18}, segments.in_segments([3])])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda op, children: {op: children},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)  # fmt: skip


def test_an_exclusion_is_a_condition_of_the_one_language() -> None:
    composed = segments.with_exclusions({"any": [CITY]}, [7, 5, 7])
    assert composed == {"all": [{"any": [CITY]}, {"field": "segment", "op": "none_of", "value": [7, 5]}]}
    assert segments.split_exclusions(composed) == ({"any": [CITY]}, [7, 5])
    assert segments.with_exclusions(composed, [9]) == segments.with_exclusions({"any": [CITY]}, [9])
    assert segments.with_exclusions(composed, []) == {"any": [CITY]}


def test_the_version_of_a_condition_stays_outermost() -> None:
    composed = segments.with_exclusions({"version": 1, "all": [CITY]}, [5])
    assert composed["version"] == 1
    assert "version" not in composed["all"][0]
    assert segments.split_exclusions(composed) == ({"version": 1, "all": [CITY]}, [5])


@pytest.mark.parametrize(
    "condition",
    [
        None,
        [],
        {},
        CITY,
        {"all": [CITY]},
        {"all": "x"},
        {"all": [CITY, CITY]},
        {"any": [CITY, {"field": "segment", "op": "none_of", "value": [1]}]},
        {"all": [CITY, {"field": "segment", "op": "any_of", "value": [1]}]},
        {"all": [CITY, {"field": "segment", "op": "none_of", "value": ["1"]}]},
        {"all": [CITY, {"field": "segment", "op": "none_of", "value": []}]},
        {"all": [CITY, {"field": "segment", "op": "none_of", "value": [True]}]},
        {"all": [CITY, {"none": [CITY]}]},
    ],
)
def test_other_conditions_have_no_exclusions(condition: Any) -> None:
    assert segments.split_exclusions(condition) == (condition, [])


@given(TREES, st.lists(st.integers(1, 99), unique=True, max_size=4))
def test_taking_apart_and_putting_together_change_nothing(tree: Any, excluded: list[int]) -> None:
    inner, found = segments.split_exclusions(segments.with_exclusions(tree, excluded))
    plain, own = segments.split_exclusions(tree)
    assert (inner, found) == ((plain, excluded) if excluded else (plain, []) if own else (tree, []))


def test_segments_named_anywhere_are_found_also_in_a_broken_tree() -> None:
    tree = {"all": [segments.in_segments([1]), {"none": [{"any": [segments.in_segments([2, 3]), {"field": "gone"}]}]}]}
    assert segments_named(tree) == {1, 2, 3}
    wrong: list[Any] = [None, [], "x", {"all": {"field": "segment", "value": [True, "4", None]}}]
    for broken in wrong:
        assert segments_named(broken) == set()
    deep: Any = segments.in_segments([4])
    for _ in range(5_000):
        deep = {"all": [deep]}
    assert segments_named(deep) == {4}


@given(st.integers(segments.FEWEST_PARTS, segments.MOST_PARTS))
def test_parts_are_disjoint_even_and_together_everything(count: int) -> None:
    found = segments.parts(count)
    assert [bucket for part in found for bucket in range(part.low, part.high + 1)] == list(range(segments.BUCKETS))
    sizes = {part.high - part.low + 1 for part in found}
    assert max(sizes) - min(sizes) <= 1


def test_a_region_is_in_some_and_in_none_of_the_others() -> None:
    assert segments.region_condition([4, 5, 6], (True, False, True)) == {
        "all": [
            {"all": [segments.in_segments([4]), segments.in_segments([6])]},
            {"field": "segment", "op": "none_of", "value": [5]},
        ]
    }
    assert segments.region_condition([4, 5], (True, True)) == {
        "all": [segments.in_segments([4]), segments.in_segments([5])]
    }


def test_a_trend_needs_two_sizes_and_something_to_begin_with() -> None:
    assert segments.trend([100, 90, 150]) == 0.5
    assert segments.trend([100]) is None
    assert segments.trend([0, 5]) is None


# Ready-made segments -------------------------------------------------------------------------------------------


def test_every_ready_segment_says_everything_in_both_languages() -> None:
    keys = [template.key for template in templates.TEMPLATES]
    assert len(keys) == len(set(keys)) >= 12
    for template in templates.TEMPLATES:
        assert template.group in templates.GROUPS
        for words in (template.name, template.why, template.send):
            assert words.en.isascii() or "’" in words.en
            assert any("一" <= letter <= "鿿" for letter in words.zh)
        assert len(template.name.zh) <= 20


def test_places_are_filled_in_and_unheard_events_left_out() -> None:
    condition = {"all": [{"field": "store", "op": "in", "value": ["$store"]}]}
    assert templates.filled(condition, {"$store": 7})["all"][0]["value"] == [7]
    with pytest.raises(KeyError):
        templates.filled(condition, {})
    leaf = {"field": "event", "op": "true", "with": {"type": ["a", "b"]}}
    assert templates.with_known_events({"any": [leaf]}, {"b"})["any"][0]["with"]["type"] == ["b"]
    assert templates.with_known_events(leaf, {"c"}) == leaf
    assert templates.events_named({"none": [leaf, CITY]}) == {"a", "b"}
