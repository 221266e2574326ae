"""The condition builder, by mouse and by keyboard alone, in both languages: what is built is what is saved."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import PHONE, Product

# Three levels, built below in another order than it is saved in: rows are moved to their places.
NESTED = {
    "all": [
        {"field": "city", "op": "in", "value": ["上海", "杭州"]},
        {
            "any": [
                {"field": "order.count", "op": "ge", "value": 3, "window": {"last": {"n": 90, "unit": "day"}}},
                {
                    "none": [
                        {"field": "birthday", "op": "anniversary_next", "value": 14},
                        {"field": "order.sum", "op": "between", "value": ["100", "5000.50"]},
                    ]
                },
            ]
        },
    ]
}
LABELS = {
    "zh-hans": {
        "city": "城市",
        "order.count": "订单数",
        "birthday": "生日",
        "order.sum": "订单净额",
        "moved": "已移到",
    },
    "en": {
        "city": "City",
        "order.count": "Order count",
        "birthday": "Birthday",
        "order.sum": "Order amount (net)",
        "moved": "moved to place",
    },
}
AXE = Axe()
LANGUAGES = pytest.mark.parametrize("language", ["zh-hans", "en"])


def builder(page: Page, product: Product, path: str = "/segments/new/") -> Locator:
    page.goto(product.url(path))
    return page.locator("condition-builder")


def opened(page: Page, product: Product, condition: dict[str, Any]) -> Locator:
    """The builder with a condition in it, as a link from elsewhere opens it."""
    page.goto(product.url("/segments/new/?name=x&condition=") + json.dumps(condition))
    return page.locator("condition-builder")


def tree(page: Page) -> Any:
    return json.loads(page.locator("#condition-input").input_value())


def row(page: Page, label: str) -> Locator:
    """The row of a condition by the beginning of its name."""
    return page.locator(f".sb-row[aria-label^='{label}']")


def group(page: Page, kind: str) -> Locator:
    return page.locator(f".sb-group.sb-{kind}")


def save(page: Page, product: Product) -> Any:
    """Save under a fresh name; the condition as the editor gets it back."""
    page.locator("input[name=name]").fill(f"走查 {secrets.token_hex(4)}")
    page.locator("button[form=segment-form]:not([name])").click()
    expect(page.locator(".notice-success")).to_be_visible()
    page.goto(page.url.rstrip("/") + "/edit/")
    return tree(page)


def drag(page: Page, grip: Locator, onto: Locator, *, below: bool = False) -> None:
    """Take a row by its grip to just above or below another."""
    grip.scroll_into_view_if_needed()
    start, end = grip.bounding_box(), onto.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    target = end["y"] + (end["height"] + 2 if below else -2)
    page.mouse.move(end["x"] + 60, target + 30, steps=4)
    page.mouse.move(end["x"] + 60, target, steps=4)
    expect(page.locator(".sb-marker")).to_be_visible()
    page.mouse.up()
    expect(page.locator(".sb-ghost")).to_have_count(0)


def pick(page: Page, text: str) -> None:
    """Choose in the open picker by pointing."""
    page.locator(".sb-popup [role=combobox]").fill(text)
    page.locator(".sb-popup [role=option]").first.click()


@LANGUAGES
def test_a_nested_segment_by_mouse(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page = open_page(language=language)
    labels = LABELS[language]
    box = builder(page, product)

    box.locator("[data-key$='|add']").click()
    pick(page, labels["birthday"])
    row(page, labels["birthday"]).locator(".sb-op").select_option("anniversary_next")
    row(page, labels["birthday"]).locator("[data-key$='|value']").fill("14")

    box.locator("[data-key$='|add']").click()
    pick(page, labels["city"])
    row(page, labels["city"]).locator(".sb-op").select_option("in")
    row(page, labels["city"]).locator("[data-key$='|value']").click()
    page.locator(".sb-popup [role=option]", has_text="上海").first.click()
    page.locator(".sb-popup [role=option]", has_text="杭州").first.click()
    page.locator(".sb-popup .btn-primary").click()

    box.locator("[data-key$='|addgroup']").click()
    pick(page, labels["order.count"])
    row(page, labels["order.count"]).locator("[data-key$='|window']").select_option("last")
    row(page, labels["order.count"]).locator("[data-key$='|window-n']").fill("90")
    row(page, labels["order.count"]).locator("[data-key$='|value']").fill("3")

    group(page, "any").locator("[data-key$='|addgroup']").click()
    pick(page, labels["order.sum"])
    group(page, "any").locator(".sb-kind").last.select_option("none")
    row(page, labels["order.sum"]).locator(".sb-op").select_option("between")
    row(page, labels["order.sum"]).locator("[data-key$='|value-0']").fill("100")
    row(page, labels["order.sum"]).locator("[data-key$='|value-1']").fill("5,000.50")

    # The birthday goes from the top into the innermost group, before the amount.
    drag(page, row(page, labels["birthday"]).locator("[data-grip]"), row(page, labels["order.sum"]))
    expect(box.locator("[role=status].visually-hidden")).to_contain_text(labels["moved"])
    assert tree(page) == NESTED

    # A whole group by its grip, above the city, and back again by undo.
    drag(page, group(page, "any").locator("[data-grip]").first, row(page, labels["city"]))
    assert tree(page) == {"all": NESTED["all"][::-1]}
    box.locator("[data-tool=undo]").click()
    expect(page.locator("#audience .audience-total")).to_be_visible()
    assert save(page, product) == NESTED


@LANGUAGES
def test_the_same_by_keyboard_alone(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page = open_page(language=language)
    labels = LABELS[language]
    builder(page, product)
    keys = page.keyboard

    def press(*names: str) -> None:
        for name in names:
            keys.press(name)

    def add(key: str, field: str) -> None:
        """Add a condition, or a group with one, at the focused row."""
        press(key)
        keys.type(labels[field])
        press("Enter")
        expect(page.locator("select:focus")).to_be_visible()

    def choose(value: str) -> None:
        """Go down a list until it says so."""
        for _ in range(20):
            if page.locator("select:focus").input_value() == value:
                return
            press("ArrowDown")
        pytest.fail(f"no {value} in the list")

    page.locator("input[name=description]").focus()
    for _ in range(9):
        press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "row":
            break

    add("Insert", "city")
    choose("in")
    press("Tab", "Enter")
    for city in ("上海", "杭州"):
        keys.type(city)
        press("Enter")
    press("Escape", "Escape")

    add("Shift+Insert", "order.count")
    press("Shift+Tab")
    choose("last")
    press("Tab", "ControlOrMeta+a")
    keys.type("90")
    press("Tab", "Tab", "Tab")
    keys.type("3")
    press("Escape")

    add("Shift+Insert", "order.sum")
    choose("between")
    press("Tab")
    keys.type("100")
    press("Tab")
    keys.type("5000.50")
    press("Escape", "ArrowUp", "Enter")
    choose("none")
    press("Escape", "Home")

    # From the top into the group, into the group in it, and up.
    add("Insert", "birthday")
    choose("anniversary_next")
    press("Tab", "ControlOrMeta+a")
    keys.type("14")
    press("Escape")
    levels = []
    for move in ("Alt+ArrowRight", "Alt+ArrowRight", "Alt+ArrowUp"):
        press(move)
        levels.append(row(page, labels["birthday"]).get_attribute("aria-level"))
        expect(row(page, labels["birthday"])).to_be_focused()
    assert levels == ["3", "4", "4"]
    expect(page.locator("condition-builder [role=status].visually-hidden")).to_contain_text(labels["moved"])
    assert tree(page) == NESTED

    # Everything can be taken back, and done again.
    press("Delete", "ControlOrMeta+d", "ControlOrMeta+g", "ControlOrMeta+Shift+g", "Alt+ArrowLeft")
    assert tree(page) != NESTED
    for _ in range(5):
        press("ControlOrMeta+z")
    assert tree(page) == NESTED

    # Several rows at once: both inner ones into a group, and back.
    row(page, labels["birthday"]).focus()
    press("Shift+ArrowDown")
    expect(page.locator(".sb-grid [aria-selected=true]")).to_have_count(2)
    press("ControlOrMeta+g")
    none = tree(page)["all"][1]["any"][1]["none"]
    assert none == [{"any": NESTED["all"][1]["any"][1]["none"]}]  # type: ignore[index]  # the tree above
    press("ControlOrMeta+Shift+g")
    assert tree(page) == NESTED
    press("?")
    expect(page.locator("dialog[open].sb-keys")).to_be_visible()
    press("Escape")
    assert save(page, product) == NESTED


def test_copies_travel_as_json(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    opened(page, product, NESTED)
    group(page, "none").locator(".sb-head").focus()
    page.keyboard.press("ControlOrMeta+c")
    page.keyboard.press("End")
    page.keyboard.press("ControlOrMeta+v")
    inner = NESTED["all"][1]["any"][1]  # type: ignore[index]  # the tree above
    assert tree(page) == {"all": [*NESTED["all"], inner]}
    page.keyboard.press("ControlOrMeta+x")
    assert tree(page) == NESTED

    page.locator("[data-tool=json]").click()
    area = page.locator("textarea.sb-json")
    assert json.loads(area.input_value()) == NESTED
    area.fill('{"all": [{"field": "city"')
    expect(page.locator(".sb-json-panel [role=alert]")).to_be_visible()
    expect(page.locator(".sb-json-foot .btn-primary")).to_be_disabled()
    area.fill(json.dumps(inner))
    page.locator(".sb-json-foot .btn-primary").click()
    assert tree(page) == inner
    page.keyboard.press("ControlOrMeta+z")
    assert tree(page) == NESTED


def test_what_members_did_is_narrowed_and_put_in_order(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    builder(page, product)

    def within(field: str) -> Callable[[str], Locator]:
        return lambda name: row(page, field).locator(f"[data-key$='|{name}']")

    page.locator("[data-key$='|add']").click()
    pick(page, "event weight")
    weight = within("Event weight")
    weight("with-type").click()
    pick(page, "page.viewed")
    page.keyboard.press("Escape")
    weight("with-half_life_days").fill("14")
    weight("value").fill("1.5")
    weight("narrow").click()
    page.locator(".sb-popup [role=option]").first.click()
    weight("with-where-0-property").click()
    pick(page, "title")
    weight("with-where-0-op").select_option("contains")
    weight("with-where-0-value").fill("育儿")

    page.locator("[data-key$='|add']").click()
    pick(page, "one after the other")
    sequence = within("Did one after the other")
    for step, kind in (("first", "cart.added"), ("then", "page.viewed")):
        sequence(f"with-{step}-type").click()
        pick(page, kind)
        page.keyboard.press("Escape")
    sequence("with-then-where-add").click()
    sequence("with-then-where-0-property").click()
    pick(page, "seconds")
    sequence("with-then-where-0-op").select_option("ge")
    sequence("with-then-where-0-value").fill("30")
    sequence("with-within-unit").select_option("hour")

    assert save(page, product) == {
        "all": [
            {
                "field": "event.weight",
                "op": "ge",
                "value": 1.5,
                "with": {
                    "type": ["page.viewed"],
                    "half_life_days": 14,
                    "where": [{"property": "title", "op": "contains", "value": "育儿"}],
                },
            },
            {
                "field": "event.sequence",
                "op": "true",
                "with": {
                    "within": {"n": 7, "unit": "hour"},
                    "first": {"type": ["cart.added"]},
                    "then": {
                        "type": ["page.viewed"],
                        "where": [{"property": "seconds", "op": "ge", "value": 30}],
                    },
                },
            },
        ]
    }


def test_a_list_is_pasted_searched_and_narrowed(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    opened(page, product, {"all": [{"field": "city", "op": "in", "value": ["上海"]}]})
    page.locator(".sb-row [data-key$='|value']").click()
    foot = page.locator(".sb-popup-foot")
    foot.locator(".btn").first.click()
    foot.locator("textarea").fill("杭州\n苏州，Nowhere\t上海")
    foot.locator(".btn").first.click()
    expect(page.locator(".sb-popup-note")).to_contain_text("4")
    page.keyboard.press("Escape")
    assert tree(page)["all"][0]["value"] == ["上海", "杭州", "苏州", "Nowhere"]
    page.locator(".sb-chip[data-value=Nowhere]").click()
    assert tree(page)["all"][0]["value"] == ["上海", "杭州", "苏州"]

    # What was used last is offered first.
    page.locator("[data-key$='|add']").click()
    pick(page, "Order count")
    page.locator("[data-key$='|add']").click()
    first = page.locator(".sb-popup [role=group]").first
    expect(first.locator(".sb-option-group")).to_have_text("Recently used")
    expect(first.locator("[role=option] > span").first).to_have_text("Order count")
    page.keyboard.press("Escape")
    expect(page.locator("[data-key$='|add']")).to_be_focused()


def test_what_is_missing_is_said_at_its_row(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    opened(page, product, {"all": [{"any": [{"field": "city", "op": "in", "value": []}]}]})
    summary = page.locator(".sb-summary")
    expect(summary).to_be_focused()
    expect(summary.locator("li")).to_have_count(1)
    summary.locator("button").click()
    expect(row(page, "City")).to_be_focused()
    expect(row(page, "City").locator(".sb-fault")).to_have_text("Choose at least one value.")
    row(page, "City").locator("[data-key$='|value']").click()
    page.locator(".sb-popup [role=option]").first.click()
    expect(summary).to_be_hidden()
    expect(row(page, "City").locator("[data-note]")).to_be_hidden()


def test_each_row_is_counted_and_a_member_explained(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    opened(page, product, {"all": [{"field": "order.count", "op": "ge", "value": 1}, {"field": "city", "op": "set"}]})
    total = page.locator("#audience .audience-total")
    expect(total).to_have_text(re.compile(r"\d+"))
    counts = page.locator(".sb-row .sb-number-of")
    expect(counts).to_have_count(2)
    assert min(int(text.replace(",", "")) for text in counts.all_inner_texts()) >= int(total.inner_text())

    page.locator("[data-tool=explain]").click()
    page.locator(".sb-popup [role=option]").first.click()
    expect(page.locator(".sb-explain strong")).to_contain_text("condition")
    expect(page.locator(".sb-row .sb-answer")).to_have_count(2)
    expect(page.locator(".sb-row .sb-answer").last).to_contain_text("found: ")


def test_excluded_segments_stand_beside_the_condition(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    kept = {"all": [{"field": "order.count", "op": "ge", "value": 1}]}
    opened(page, product, kept)
    page.locator("[data-key='exclude|value']").click()
    page.locator(".sb-popup [role=option]").first.click()
    page.keyboard.press("Escape")
    condition, excluded = tree(page)["all"]
    assert condition == kept
    assert (excluded["field"], excluded["op"], len(excluded["value"])) == ("segment", "none_of", 1)
    assert save(page, product) == {"all": [kept, excluded]}
    expect(page.locator(".sb-exclude .sb-chip")).to_have_count(1)
    expect(page.locator(".sb-row")).to_have_count(1)


def test_a_draft_survives_a_closed_page(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    builder(page, product)
    page.locator("input[name=name]").fill("Half an idea")
    page.locator("[data-key$='|add']").click()
    pick(page, "City")
    page.locator(".sb-row [data-key$='|value']").click()
    pick(page, "上海")
    expect(page.locator("[data-draft-note]")).to_contain_text("Draft")
    written = tree(page)
    page.on("dialog", lambda dialog: dialog.accept())

    builder(page, product)
    page.locator(".sb-draft .btn").first.click()
    assert tree(page) == written
    assert page.locator("input[name=name]").input_value() == "Half an idea"
    save(page, product)
    builder(page, product)
    expect(page.locator(".sb-row")).to_have_count(0)
    assert page.locator(".sb-draft").count() == 0


def test_two_editors_of_one_segment_see_each_other(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    opened(page, product, {"all": [{"field": "order.count", "op": "ge", "value": 1}]})
    save(page, product)
    other = page.context.new_page()
    other.goto(page.url)
    for editor, number in ((page, "2"), (other, "3")):
        editor.locator(".sb-row [data-key$='|value']").fill(number)
        editor.locator("button[form=segment-form]:not([name])").click()
        editor.wait_for_load_state()
    expect(other.locator(".clash")).to_contain_text("Order count ≥ 2")
    assert tree(other)["all"][0]["value"] == 3
    other.locator("button[name=overwrite]").click()
    expect(other.locator(".notice-success")).to_be_visible()


def test_it_works_on_a_phone(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(viewport=PHONE, theme="dark")
    opened(page, product, NESTED)
    expect(page.locator(".sb-row")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    small = page.eval_on_selector_all(
        "condition-builder :is(button, select, input, [data-grip])",
        "all => all.filter(e => e.offsetParent && e.getBoundingClientRect().height < 44)"
        ".map(e => e.outerHTML.slice(0, 90))",
    )
    assert small == []

    # A finger drags by the grip.
    finger = page.context.new_cdp_session(page)
    grip, target = row(page, "订单数").locator("[data-grip]"), row(page, "城市")
    grip.scroll_into_view_if_needed()
    start, end = grip.bounding_box(), target.bounding_box()
    assert start is not None
    assert end is not None
    x, y = start["x"] + 20, start["y"] + 20
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for height in (y - 20, (y + end["y"]) / 2, end["y"] - 2):
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": height}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(".sb-ghost")).to_have_count(0)
    assert [next(iter(child)) for child in tree(page)["all"]] == ["field", "field", "any"]
    page.locator("[data-tool=undo]").click()
    assert tree(page) == NESTED

    # What a drag does, the menu of a row does too.
    row(page, "城市").locator("[data-key$='|menu']").click()
    page.locator(".sb-sheet [data-act=in]").click()
    assert len(tree(page)["all"]) == 1
    page.locator("[data-key$='|add']").last.click()
    sheet = page.locator(".sb-popup.sb-sheet").bounding_box()
    assert sheet is not None
    assert (sheet["x"], sheet["width"]) == (0, PHONE["width"])
    found = AXE.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [problem["id"] for problem in found if problem["impact"] in ("serious", "critical")] == []
