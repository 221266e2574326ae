"""What operators may write: fields, defaults, conditions, light markup. Everything else is refused with its line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.rules.content import parse
from campaigns.rules.expressions import TemplateProblem
from campaigns.rules.rendering import Rendered, Renderer

VALUES = {"member": {"name": "林", "city": ""}, "unsubscribe_url": "https://u.example/x"}


def render(body: str, subject: str = "", **values: object) -> Rendered:
    content = parse(subject=subject, body=body)
    return Renderer(content).render({**VALUES, **values}, links=[f"L{n}" for n in range(len(content.links))])


def test_a_missing_value_uses_its_default_in_every_place_of_the_chain() -> None:
    assert render('{{ member.city | default("上海") }}').text == "上海"
    assert render("{{ member.city | upper | default('sh') }}").text == "SH"
    assert render("{{ member.city }}!").text == "!"
    assert render('{{ member.name | default("x") }}').text == "林"


def test_conditions_choose_words() -> None:
    body = '{% if member.name == "林" and not member.city %}A{% elif member.city %}B{% else %}C{% endif %}'
    assert render(body).text == "A"
    assert render(body, member={"name": "x", "city": "y"}).text == "B"
    assert render(body, member={}).text == "C"


def test_markup_becomes_html_and_plain_text() -> None:
    rendered = render("# 上新\n**好**看 [看看](https://a.example/?a=1&b=2)\n第二行\n\n[去](https://a.example/?a=1&b=2)")
    assert rendered.html == (
        '<h1>上新</h1>\n<p><strong>好</strong>看 <a href="L0">看看</a><br>\n第二行</p>\n'
        '<p><a class="button" href="L0">去</a></p>'
    )
    assert rendered.text == "上新\n好看 看看 L0\n第二行\n\n去 L0"


def test_markup_and_values_cannot_become_script() -> None:
    rendered = render("<script>x</script> {{ member.name }}", member={"name": '"><script>'})
    assert "<script>" not in rendered.html
    assert rendered.text == '<script>x</script> "><script>'


def test_a_value_cannot_add_a_header_or_a_tag() -> None:
    assert render("x", subject="Hi {{ member.name }}", member={"name": "a\r\nBcc: b"}).subject == "Hi a Bcc: b"
    assert render("{{ member.name }}", member={"name": "{{ brand.name }}"}).text == "{{ brand.name }}"


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("a\n{{ member.password }}", "unknown_field", 2),
        ("{{ member }}", "unknown_field", 1),
        ("{{ member.__class__ }}", "unknown_field", 1),
        ("{{ member.name.upper() }}", "bad_expression", 1),
        ("{{ 7*7 }}", "bad_expression", 1),
        ("{{ member.name | safe }}", "unknown_filter", 1),
        ("{{ member.name | default }}", "bad_expression", 1),
        ("{{ member.name", "tag_not_closed", 1),
        ("\n\n}}", "tag_not_closed", 3),
        ("{# note #}", "tag_not_closed", 1),
        ("{% for x in member %}{% endfor %}", "unknown_tag", 1),
        ("{% set x = 1 %}", "unknown_tag", 1),
        ("{% include 'x' %}", "unknown_tag", 1),
        ("{% if member.name %}", "if_not_closed", 1),
        ("{% endif %}", "if_not_open", 1),
        ("{% if member.name %}" * 6 + "{% endif %}" * 6, "too_deep", 1),
        ("[x](javascript:alert)", "bad_link", 1),
        ("[x](//evil.example)", "bad_link", 1),
        ("[x](https://a.example/{{ member.name }})", "link_not_literal", 1),
        ("{{ member.name }}" * 201, "too_many_tags", 1),
        ("x" * 20_001, "too_long", 1),
        ("\x00", "forbidden_character", 1),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_line(body: str, code: str, line: int) -> None:
    with pytest.raises(TemplateProblem) as caught:
        parse(subject="", body=body)
    assert (caught.value.code, caught.value.line) == (code, line)


def test_a_problem_of_the_subject_is_told_apart() -> None:
    with pytest.raises(TemplateProblem) as caught:
        parse(subject="{{ x }}", body="")
    assert caught.value.line == 0


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}%#|()[]"\\ab. \nmember.nameifdefault*:/', max_size=60))
def test_any_text_is_either_refused_with_a_type_or_renders(body: str) -> None:
    try:
        content = parse(subject="", body=body)
    except TemplateProblem:
        return
    Renderer(content).render(VALUES, links=["L"] * len(content.links))
