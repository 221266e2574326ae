"""Scores, classes and layers as pure rules."""

from __future__ import annotations

from fractions import Fraction

import pytest

from analytics.enums import RfmClass, RfmLayer
from analytics.rules import rfm


def scale(name: str, values: list[int], raw: dict | None = None) -> rfm.Scale:
    ordered = sorted(values)
    return rfm.scale(
        name,
        rfm.parse(raw or {}),
        count=len(values),
        total=sum(values),
        at_ranks=[ordered[rank] for rank in rfm.ranks(len(values))],
    )


def test_quantile_cuts_are_type_7_on_the_values():
    # numpy.quantile([1..10], [.2, .4, .6, .8]) is [2.8, 4.6, 6.4, 8.2]
    ordered = list(range(1, 11))
    quantiles, median = rfm.quantiles(10, [ordered[rank] for rank in rfm.ranks(10)])
    assert quantiles == [Fraction(28, 10), Fraction(46, 10), Fraction(64, 10), Fraction(82, 10)]
    assert median == Fraction(11, 2)
    assert [rfm.score("f", v, scale("f", ordered).cuts) for v in ordered] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_fewer_days_score_higher():
    days = list(range(1, 11))
    assert [rfm.score("r", v, scale("r", days).cuts) for v in days] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]


def test_equal_values_get_equal_scores_where_ntile_would_split_them():
    values = [1] * 7 + [2] * 2 + [9]
    cuts = scale("f", values).cuts
    assert [rfm.score("f", v, cuts) for v in (1, 2, 9)] == [1, 4, 5]


@pytest.mark.parametrize("values", [[5], [5, 5], [5, 6], [0] * 50])
def test_few_distinct_values_are_scored_in_order(values):
    for name in rfm.DIMENSIONS:
        cuts = scale(name, values).cuts
        scores = [rfm.score(name, v, cuts) for v in sorted(values, reverse=name == "r")]
        assert scores == sorted(scores)
        assert set(scores) <= {1, 2, 3, 4, 5}


def test_typed_cuts_are_half_open():
    typed = rfm.parse({"cuts": {"r": {"mode": "typed", "values": [30, 60, 90, 180]}}}).cuts["r"].values
    assert [rfm.score("r", v, typed) for v in (0, 29, 30, 59, 60, 132, 179, 180, 999)] == [5, 5, 4, 4, 3, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        ({"cuts": {"r": {"mode": "typed", "values": [1, 2, 3]}}}, "four_values_needed", "cuts.r"),
        ({"cuts": {"f": {"mode": "typed", "values": [1, 2, 2, 3]}}}, "not_ascending", "cuts.f"),
        ({"cuts": {"m": {"mode": "typed", "values": [1, 2, 3, 10**30]}}}, "four_values_needed", "cuts.m"),
        ({"cuts": {"m": {"mode": "ntile"}}}, "unknown_mode", "cuts.m"),
        ({"middle": {"m": {"mode": "typed"}}}, "value_needed", "middle.m"),
        ({"middle": {"r": {"mode": "mode"}}}, "unknown_mode", "middle.r"),
    ],
)
def test_a_definition_that_cannot_be_computed_is_refused(raw, code, field):
    with pytest.raises(rfm.BadDefinition) as caught:
        rfm.parse(raw)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_definition_survives_being_stored():
    raw = {
        "cuts": {
            "r": {"mode": "typed", "values": [30, 60, 90, 180]},
            "f": {"mode": "quantile", "values": []},
            "m": {"mode": "quantile", "values": []},
        },
        "middle": {
            "r": {"mode": "typed", "value": 45},
            "f": {"mode": "median", "value": None},
            "m": {"mode": "mean", "value": None},
        },
    }
    stored = rfm.dump(rfm.parse(raw))
    assert {part: stored[part] for part in raw} == raw
    assert rfm.dump(rfm.parse(stored)) == stored


def test_the_eight_classes_compare_with_the_middle_and_the_middle_itself_is_high():
    scales = {name: rfm.Scale((1, 2, 3, 4), limit, 0.0) for name, limit in (("r", 30), ("f", 3), ("m", 500))}

    def class_of(r, f, m):
        return rfm.class_of(scales, r_days=r, frequency=f, monetary=m)

    assert class_of(30, 3, 500) == RfmClass.CHAMPION
    assert class_of(30, 2, 500) == RfmClass.DEVELOP
    assert class_of(31, 3, 500) == RfmClass.KEEP
    assert class_of(31, 2, 500) == RfmClass.WIN_BACK
    assert class_of(30, 3, 499) == RfmClass.GENERAL_VALUE
    assert class_of(30, 2, 499) == RfmClass.GENERAL_DEVELOP
    assert class_of(31, 3, 499) == RfmClass.GENERAL_KEEP
    assert class_of(31, 2, 499) == RfmClass.GENERAL_WIN_BACK


def test_every_score_has_a_layer_and_every_layer_has_a_score():
    found = {rfm.layer_of(r, f, m) for r in rfm.SCORES for f in rfm.SCORES for m in rfm.SCORES}
    assert found == set(RfmLayer) - {RfmLayer.PROSPECT}


@pytest.mark.parametrize(
    ("r", "f", "m", "layer"),
    [
        (5, 5, 5, RfmLayer.CHAMPIONS),
        (4, 4, 4, RfmLayer.CHAMPIONS),
        (3, 5, 5, RfmLayer.LOYAL),
        (5, 3, 3, RfmLayer.LOYAL),
        (5, 2, 3, RfmLayer.POTENTIAL_LOYALIST),
        (5, 1, 1, RfmLayer.NEW),
        (4, 1, 2, RfmLayer.PROMISING),
        (3, 2, 3, RfmLayer.NEED_ATTENTION),
        (3, 1, 2, RfmLayer.ABOUT_TO_SLEEP),
        (2, 2, 2, RfmLayer.ABOUT_TO_SLEEP),
        (1, 4, 4, RfmLayer.CANNOT_LOSE),
        (2, 3, 4, RfmLayer.AT_RISK),
        (1, 2, 2, RfmLayer.HIBERNATING),
        (1, 1, 1, RfmLayer.LOST),
    ],
)
def test_layers_follow_their_table(r, f, m, layer):
    assert rfm.layer_of(r, f, m) == layer
