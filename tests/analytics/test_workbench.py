"""The RFM workbench: models of their own scope, editable layers, previews, versions, migration, alerts."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.enums import RunState
from analytics.models import Alert, RfmModel, RfmRun, RfmScore
from analytics.operations import alerts, rfm, rfm_models, rfm_preview
from analytics.operations.alerts import Rule
from analytics.operations.rfm_models import Content
from analytics.queries import rfm as queries
from analytics.queries import rfm_moves, rfm_versions
from analytics.rules import alerts as alert_rules
from analytics.rules import rfm as rules
from analytics.rules.rfm_layers import LAYERS10, LAYERS11, BadDefinition, Layer, dump_layers, parse_layers, table
from members.models import OrderLine, Product
from members.queries import scopes
from scrm.common.access import SYSTEM, DataScope, Role
from scrm.common.errors import Conflict, DomainError, Forbidden
from scrm.common.models import Notification
from tests.analytics.test_rfm import AS_OF, noon
from tests.factories import NOW, make_member, make_order, make_source, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept():
    rfm_preview.forget()


def compute(model: RfmModel, as_of: date = AS_OF) -> RfmRun:
    model.refresh_from_db()
    return rfm.run(model_id=model.pk, as_of=as_of, actor=SYSTEM, now=NOW + timedelta(days=(as_of - AS_OF).days))


def at(day: date) -> datetime:
    return noon((AS_OF - day).days)


def values(model: RfmModel) -> dict[int, tuple[int, int]]:
    return {row.member_id: (row.frequency, row.monetary) for row in RfmScore.objects.filter(model=model)}


# Layers


def test_both_presets_give_each_score_exactly_one_layer() -> None:
    for preset in (LAYERS11, LAYERS10):
        found = table(preset)
        assert len(found) == 125
        assert set(found.values()) == {layer.key for layer in preset}
        assert parse_layers(dump_layers(preset)) == preset


@pytest.mark.parametrize(
    ("layers", "code", "field"),
    [
        ([{"key": "top", "name": "T", "r": [4, 5]}], "layers_incomplete", "layers"),
        ([{"key": "all", "name": "A"}, {"key": "all", "name": "B", "r": [1, 2]}], "layer_twice", "layers.1"),
        ([{"key": "all", "name": "A"}, {"key": "low", "name": "B", "r": [1, 2]}], "layer_unreachable", "layers.1"),
        ([{"key": "own"}], "name_needed", "layers.0"),
        ([{"key": "Über", "name": "x"}], "bad_key", "layers.0"),
        ([{"key": "prospect", "name": "x"}], "bad_key", "layers.0"),
        ([{"key": "a", "name": "x", "r": [3, 2]}], "score_range", "layers.0"),
        ([{"key": "a", "name": "x", "r": [True, 2]}], "score_range", "layers.0"),
        ([{"key": "a", "name": "x", "f": "1-5"}], "score_range", "layers.0"),
        ([{"key": "a", "name": "x", "fm": 6}], "score_range", "layers.0"),
        ([{"key": "a", "name": "x" * 41}], "bad_name", "layers.0"),
        ([{"key": "a", "name": "x", "tone": "#f00"}], "unknown_tone", "layers.0"),
        ([7], "layers_expected", "layers.0"),
        ("champions", "layers_expected", "layers"),
    ],
)
def test_layers_that_make_no_table_are_refused(layers: object, code: str, field: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        rules.parse({"layers": layers})
    assert (caught.value.code, caught.value.field) == (code, field)


RANGES = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda pair: (min(pair), max(pair)))
ROWS = st.lists(st.tuples(RANGES, RANGES, RANGES, st.integers(1, 5)), max_size=6)


def fits(row: tuple, r: int, f: int, m: int) -> bool:
    rr, ff, mm, fm = row
    return rr[0] <= r <= rr[1] and ff[0] <= f <= ff[1] and mm[0] <= m <= mm[1] and (f + m) / 2 >= fm


@given(rows=ROWS)
@settings(max_examples=150, deadline=None)
def test_whatever_is_accepted_gives_every_score_its_first_match(rows: list) -> None:
    layers = [
        {"key": f"own_{n}", "name": f"{n}", "r": list(r), "f": list(f), "m": list(m), "fm": fm}
        for n, (r, f, m, fm) in enumerate(rows)
    ] + [{"key": "rest", "name": "rest"}]
    taken = {
        next(n for n, row in enumerate(everything) if fits(row, r, f, m))
        for everything in [[*rows, ((1, 5), (1, 5), (1, 5), 1)]]
        for r in rules.SCORES
        for f in rules.SCORES
        for m in rules.SCORES
    }
    if len(taken) < len(layers):  # nothing else can be wrong with these
        with pytest.raises(BadDefinition, match="layer_unreachable"):
            parse_layers(layers)
        return
    found = parse_layers(layers)
    for r in rules.SCORES:
        for f in rules.SCORES:
            for m in rules.SCORES:
                key = rules.layer_of(r, f, m, found)
                first = next(
                    n for n, (rr, ff, mm, fm) in enumerate([*rows, ((1, 5), (1, 5), (1, 5), 1)])
                    if fits((rr, ff, mm, fm), r, f, m)
                )  # fmt: skip
                assert key == (f"own_{first}" if first < len(rows) else "rest")


CUTS = st.lists(st.integers(0, 400), min_size=4, max_size=4, unique=True).map(sorted)


@given(days=CUTS, value=st.integers(0, 500))
@settings(max_examples=100, deadline=None)
def test_typed_cuts_are_half_open_whatever_they_are(days: list[int], value: int) -> None:
    cuts = rules.parse({"cuts": {"r": {"mode": "typed", "values": days}}}).cuts["r"].values
    assert rules.score("r", value, cuts) == 5 - sum(value >= cut for cut in days)
    assert rules.score("f", value, cuts) == 1 + sum(value >= cut for cut in days)


# What counts


def test_a_model_counts_the_orders_of_its_stores_and_channels() -> None:
    east, west = make_store("E1"), make_store("W1")
    member = make_member()
    make_order(member, amount=100, store=east, channel="app")
    make_order(member, amount=20, store=east, channel="pos")
    make_order(member, amount=3, store=west, channel="app")
    by_store = rfm_models.create(content=Content("东区", scope={"stores": [east.pk]}))
    by_channel = rfm_models.create(content=Content("App", scope={"channels": ["app"]}))
    both = rfm_models.create(content=Content("东区 App", scope={"stores": [east.pk], "channels": ["app"]}))
    for model in (by_store, by_channel, both):
        compute(model)
    assert [values(model)[member.pk] for model in (by_store, by_channel, both)] == [(2, 120), (2, 103), (1, 100)]


def test_a_model_of_a_category_counts_its_part_of_each_order() -> None:
    toys, books = Product.objects.create(sku="T", category="玩具"), Product.objects.create(sku="B", category="图书")
    member, reader = make_member(), make_member()
    mixed = make_order(member, amount=1_000, refunded_amount=1)  # 999 net, lines of 300 and 900
    only = make_order(reader, amount=500)
    for order, lines in ((mixed, [(toys, 300), (books, 900)]), (only, [(books, 500)])):
        for number, (product, amount) in enumerate(lines):
            OrderLine.objects.create(
                member=order.member, order=order, line_number=number, product=product, quantity=1,
                unit_price=amount / 100, amount=amount,
            )  # fmt: skip
    model = rfm_models.create(content=Content("玩具", scope={"categories": ["玩具"]}))
    compute(model)
    assert values(model) == {member.pk: (1, 250)}  # 999 × 300 ÷ 1,200 = 249.75


def test_amounts_of_two_currencies_are_never_added_up() -> None:
    yuan, pounds = make_source("shop"), make_source("uk")
    pounds.currency = "GBP"
    pounds.save()
    member, briton = make_member(), make_member()
    make_order(member, amount=100, source=yuan)
    make_order(member, amount=7, source=pounds)
    make_order(briton, amount=9, source=pounds)
    default = rfm_models.ensure_default()
    assert compute(default).distribution["currency"] == "CNY"
    assert values(default) == {member.pk: (1, 100)}
    british = rfm_models.create(content=Content("UK", currency="GBP"))
    compute(british)
    assert values(british) == {member.pk: (1, 7), briton.pk: (1, 9)}
    for content, code in [
        (Content("a", scope={"sources": [yuan.pk, pounds.pk]}), "mixed_currencies"),
        (Content("b", currency="CNY", scope={"sources": [pounds.pk]}), "mixed_currencies"),
        (Content("c", currency="XYZ"), "unknown_currency"),
        (Content("d", scope={"sources": [10**9]}), "no_such_source"),
        (Content("e", scope={"planets": [1]}), "bad_scope"),
        (Content("f", scope={"stores": ["1"]}), "bad_scope"),
        (Content(""), "bad_name"),
    ]:
        with pytest.raises(DomainError) as caught:
            rfm_models.create(content=content)
        assert caught.value.code == code


def test_a_model_of_what_nobody_bought_has_no_buyers() -> None:
    make_order(make_member())
    pounds = make_source("uk")
    pounds.currency = "GBP"
    pounds.save()
    store = make_store("E9")
    for n, content in enumerate(
        [
            Content("nichts", scope={"categories": ["nichts"]}),
            Content("pounds", currency="GBP"),
            Content("store", scope={"stores": [store.pk], "regions": [10**9]}),
        ]
    ):
        run = compute(rfm_models.create(content=content))
        assert (n, run.buyers, run.distribution["buyers"]) == (n, 0, 0)


# Models and versions


def test_models_are_duplicated_archived_and_made_the_default() -> None:
    default = rfm_models.ensure_default()
    copy = rfm_models.duplicate(model_id=default.pk)
    assert (copy.name != default.name, copy.definition, copy.nightly) == (
        True,
        Content.of(default).checked().definition,
        False,
    )
    rfm_models.make_default(model_id=copy.pk, now=NOW)
    with pytest.raises(Conflict) as caught:
        rfm_models.archive(model_id=copy.pk, now=NOW)
    assert caught.value.code == "is_default"
    rfm_models.archive(model_id=default.pk, now=NOW)
    assert [model.pk for model in queries.models()] == [copy.pk]
    with pytest.raises(Conflict) as caught:
        compute(default)
    assert caught.value.code == "model_archived"
    rfm_models.bring_back(model_id=default.pk)
    with pytest.raises(Conflict) as caught:
        rfm_models.create(content=Content(default.name))
    assert caught.value.code == "name_taken"


def test_every_version_is_kept_told_apart_and_can_be_restored() -> None:
    model = rfm_models.ensure_default()
    first = Content.of(model).checked()
    own = [Layer("top", r=(4, 5), name="头部"), Layer("rest", name="其余")]
    rfm_models.redefine(
        model_id=model.pk,
        version=1,
        content=Content(model.name, 180, definition={"layers": dump_layers(own)}),
        note="半年窗口",
    )
    newest, oldest = rfm_versions.history(RfmModel.objects.get(pk=model.pk))
    assert (newest.number, newest.note, newest.is_current, oldest.changes) == (2, "半年窗口", True, [])
    changed = {change.after for change in newest.changes}
    assert "180" in changed
    assert any(text.startswith("头部") for text in changed)
    restored = rfm_models.restore(model_id=model.pk, version=2, from_version=1)
    assert (restored.version, Content.of(restored).as_stored()) == (3, first.as_stored())
    with pytest.raises(DomainError) as caught:
        rfm_models.restore(model_id=model.pk, version=3, from_version=9)
    assert caught.value.code == "no_such_version"


def test_the_board_says_the_window_of_its_run() -> None:
    model = rfm_models.ensure_default()
    make_order(make_member(), paid_at=noon(3))
    compute(model)
    rfm_models.redefine(model_id=model.pk, version=1, content=Content(model.name, 180))
    board = queries.board(actor=SYSTEM, model=RfmModel.objects.get(pk=model.pk))
    assert board is not None
    assert (board.window_days, board.model_version) == (365, 1)


def test_a_run_speaks_of_the_layers_it_was_computed_with() -> None:
    model = rfm_models.ensure_default()
    make_order(make_member())
    own = dump_layers([Layer("all_buyers", name="全部买家", tone="pink")])
    rfm_models.redefine(model_id=model.pk, version=1, content=Content(model.name, definition={"layers": own}))
    compute(model)
    rfm_models.redefine(model_id=model.pk, version=2, content=Content(model.name))
    board = queries.board(actor=SYSTEM, model=RfmModel.objects.get(pk=model.pk))
    assert board is not None
    assert [(name.key, name.label, name.tone) for name in board.layer_names[:1]] == [("all_buyers", "全部买家", "pink")]
    assert board.layers["all_buyers"].members == 1


def test_who_sees_only_some_members_may_not_look_through_a_model() -> None:
    actor = scopes.actor_of(make_user(Role.OPERATOR, scope=DataScope.STORE, staff=make_staff(store=make_store())))
    with pytest.raises(Forbidden) as caught:
        rfm_models.ensure_everybody(actor)
    assert caught.value.code == "scope_too_narrow"


# Previews


def crowd(size: int = 30) -> None:
    for n in range(size):
        member = make_member()
        for order in range(1 + n % 4):
            make_order(member, amount=500 * (1 + n * n % 17), paid_at=noon(1 + n * 7 + order))


EDITS = [
    {},
    {"cuts": {"r": {"mode": "typed", "values": [10, 40, 80, 120]}}},
    {"cuts": {"m": {"mode": "typed", "values": [1_000, 3_000, 9_000, 20_000]}}, "middle": {"f": {"mode": "median"}}},
    {"layers": dump_layers(LAYERS10), "middle": {"m": {"mode": "typed", "value": 5_000}}},
]


@pytest.mark.parametrize("definition", EDITS)
def test_a_preview_is_what_applying_brings(definition: dict) -> None:
    crowd()
    model = rfm_models.ensure_default()
    before = compute(model)
    content = Content(model.name, definition=definition).checked()
    found = rfm_preview.preview(
        model=model, window_days=365, currency="", scope={}, definition=content.definition, now=NOW
    )
    assert found.exact
    assert {row.key: row.before for row in found.classes if row.before} == {
        key: members for key, (members, _) in before.distribution["classes"].items()
    }
    assert RfmScore.objects.filter(run_id=before.pk).count() == 30  # nothing is written
    rfm_models.redefine(model_id=model.pk, version=model.version, content=content)
    after = compute(model).distribution
    for part, rows in (("classes", found.classes), ("layers", found.layers)):
        assert {row.key: [row.after, row.net_after] for row in rows if row.after} == after[part]
    assert {f"{r}{f}": row.after for (r, f), row in found.cells.items() if row.after} == {
        key: members for key, (members, _) in after["cells"].items()
    }


def test_a_preview_of_another_window_adds_up_afresh_and_so_does_one_after_a_crash() -> None:
    crowd()
    model = rfm_models.ensure_default()
    run = compute(model)
    narrow = {"model": model, "currency": "", "scope": {}, "definition": model.definition, "now": NOW}
    assert rfm_preview.preview(window_days=30, **narrow).buyers_after < 30
    from analytics.models import RfmAggregate  # noqa: PLC0415  # only here: what a crash empties

    RfmAggregate.objects.filter(run=run).delete()
    rfm_preview.forget()
    assert rfm_preview.preview(window_days=365, **narrow).buyers_after == 30


def test_a_large_shop_is_previewed_by_a_sample_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd()
    monkeypatch.setattr(rfm_preview, "LARGEST", 10)
    model = rfm_models.ensure_default()
    compute(model)
    found = rfm_preview.preview(
        model=model, window_days=365, currency="", scope={}, definition=model.definition, now=NOW
    )
    assert not found.exact
    assert found.buyers_after == 30  # every third of thirty, three times


# Migration


def states(model: RfmModel, column: str) -> dict[int, str]:
    return dict(RfmScore.objects.filter(model=model).values_list("member_id", column))


@pytest.mark.parametrize("kind", ["layer", "class"])
def test_migration_between_any_two_runs_is_what_the_scores_were_then(kind: str) -> None:
    model = rfm_models.ensure_default()
    people = [make_member() for _ in range(8)]
    column = "layer" if kind == "layer" else "rfm_class"
    runs, seen = [], []
    for step in range(4):
        day = AS_OF + timedelta(days=step * 40)
        for n, person in enumerate(people):
            if (n + step) % 3 == 0 and n != 7:
                make_order(person, amount=700 * (1 + (n * step) % 5), paid_at=at(day))
        if step == 2:
            people[1].status = "erased"
            people[1].save()
        runs.append(compute(model, day))
        seen.append(states(model, column))
    for a in range(4):
        for b in range(a + 1, 4):
            found = rfm_moves.between(actor=SYSTEM, model=model, earlier_id=runs[a].pk, later_id=runs[b].pk, kind=kind)
            assert found is not None
            everybody = set(seen[a]) | set(seen[b])
            expected = Counter((seen[a].get(m, ""), seen[b].get(m, "")) for m in everybody)
            assert Counter(found.matrix.counts) == expected
            # The sums are the populations of the two runs.
            assert sum(n for key, n in found.matrix.before.items() if key) == runs[a].buyers
            assert sum(n for key, n in found.matrix.after.items() if key) == runs[b].buyers
            for (before, after), members in expected.items():
                sql, params = rfm_moves.movers_sql(
                    model_id=model.pk, earlier_id=runs[a].pk, later_id=runs[b].pk, kind=kind, before=before, after=after
                )
                from django.db import connection  # noqa: PLC0415  # only here: raw SQL is what is tested

                with connection.cursor() as cursor:
                    cursor.execute(sql, params)
                    ids = {row[0] for row in cursor.fetchall()}
                assert len(ids) == members
                assert ids == {m for m in everybody if (seen[a].get(m, ""), seen[b].get(m, "")) == (before, after)}
    with pytest.raises(DomainError) as caught:
        rfm_moves.between(actor=SYSTEM, model=model, earlier_id=runs[1].pk, later_id=runs[0].pk)
    assert caught.value.code == "runs_out_of_order"
    with pytest.raises(DomainError) as caught:
        rfm_moves.between(actor=SYSTEM, model=model, earlier_id=10**9)
    assert caught.value.code == "no_such_run"


def test_migration_counts_only_the_members_in_scope() -> None:
    store = make_store("S1")
    mine, other = make_member(store=store), make_member()
    model = rfm_models.ensure_default()
    for person in (mine, other):
        make_order(person, amount=100, paid_at=noon(5))
    compute(model)
    make_order(mine, amount=90_000, paid_at=noon(0))
    compute(model, AS_OF + timedelta(days=1))
    actor = scopes.actor_of(make_user(scope=DataScope.STORE, staff=make_staff(store=store)))
    found = rfm_moves.between(actor=actor, model=model)
    assert found is not None
    assert sum(found.matrix.counts.values()) == 1


# Alerts


@pytest.mark.parametrize(
    ("before", "after", "direction", "percent", "found"),
    [
        ({"a": 100}, {"a": 79}, "shrinks", 20, ["a"]),
        ({"a": 100}, {"a": 80}, "shrinks", 20, []),
        ({"a": 100}, {"a": 121}, "grows", 20, ["a"]),
        ({"a": 100}, {"a": 121}, "shrinks", 20, []),
        ({"a": 100}, {}, "changes", 99, ["a"]),
        ({}, {"a": 50}, "grows", 20, ["a"]),
        ({"a": 9}, {"a": 1}, "shrinks", 20, []),  # too few to matter
        ({"a": 100, "b": 100}, {"a": 10, "b": 10}, "shrinks", 20, ["a", "b"]),
    ],
)
def test_what_is_worth_an_alert(before: dict, after: dict, direction: str, percent: int, found: list) -> None:
    judged = alert_rules.judge(before=before, after=after, keys=[], direction=direction, percent=percent, smallest=10)
    assert [row.key for row in judged] == found


def test_a_layer_that_shrinks_is_told_at_the_publication() -> None:
    admin = make_user(Role.ADMIN)
    narrow = make_user(Role.OPERATOR, scope=DataScope.STORE, staff=make_staff(store=make_store()))
    model = rfm_models.ensure_default()
    own = dump_layers([Layer("fresh", r=(5, 5), name="新鲜"), Layer("rest", name="其余")])
    typed = {"cuts": {"r": {"mode": "typed", "values": [10, 20, 30, 40]}}, "layers": own}
    rfm_models.redefine(model_id=model.pk, version=1, content=Content(model.name, definition=typed))
    alerts.create(rule=Rule("layer", "shrinks", 20, key="fresh", model_id=model.pk, smallest=1, against="week"))
    alerts.create(rule=Rule("layer", "shrinks", 20, key="fresh", model_id=model.pk, smallest=1, enabled=False))
    for _ in range(5):
        make_order(make_member(), paid_at=noon(1))
    compute(model)
    compute(model, AS_OF + timedelta(days=1))
    assert not Alert.objects.exists()  # no run of a week before
    later = compute(model, AS_OF + timedelta(days=12))
    alert = Alert.objects.get()
    assert (alert.key, alert.before, alert.after, alert.rfm_run_id) == ("fresh", 5, 0, later.pk)
    note = Notification.objects.get(user=admin)
    assert "新鲜" in note.message % note.values
    assert not Notification.objects.filter(user=narrow).exists()
    for rule, code in [
        (Rule("layer", "shrinks", 20, key="nonsense", model_id=model.pk), "unknown_key"),
        (Rule("layer", "shrinks", 0, model_id=model.pk), "out_of_range"),
        (Rule("layer", "shrinks", 20), "no_such_model"),
        (Rule("planet", "shrinks", 20), "unknown_choice"),
    ]:
        with pytest.raises(DomainError) as caught:
            alerts.create(rule=rule)
        assert caught.value.code == code


def test_a_run_is_followed_once() -> None:
    model = rfm_models.ensure_default()
    make_order(make_member())
    run = compute(model)
    assert (run.state, run.followed_at is not None) == (RunState.PUBLISHED, True)
    rfm.carry_on(run_id=run.pk)
