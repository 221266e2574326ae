"""The tags that a message may contain: an allow-listed subset of Liquid, checked before anything is compiled.

    {{ member.name | default("friend") }}      {% if member.city == "上海" %} … {% else %} … {% endif %}

Nothing else exists: no loops, no assignments, no calls, no attributes beyond the fields listed here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a message may say about its reader, with the kind of value.
FIELDS = (
    "member.name",
    "member.gender_title",
    "member.city",
    "store.name",
    "brand.name",
    "unsubscribe_url",
)
FILTERS = ("default", "upper", "lower", "title", "trim")
LARGEST_BODY = 20_000
MOST_TAGS = 200
DEEPEST_NESTING = 5

_STRING = r"(?:\"[^\"\\\n]*\"|'[^'\\\n]*')"
_PATH = r"[a-z_]+(?:\.[a-z_]+)?"
_FILTER = rf"\|\s*(?P<name>[a-z_]+)\s*(?:\(\s*(?P<argument>{_STRING})\s*\))?"
_OUTPUT = re.compile(rf"(?P<path>{_PATH})(?P<filters>(?:\s*\|[^|]*)*)")
_TERM = rf"(?:not\s+)?(?P<path>{_PATH})(?:\s*(?:==|!=)\s*{_STRING})?"
_TAG = re.compile(r"\{\{(?P<output>.*?)\}\}|\{%-?(?P<control>.*?)-?%\}", re.DOTALL)
_STRAY = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


class TemplateProblem(ValueError):
    """A template that cannot be used. `code` is stable; `line` counts from 1; `subject` is the text at fault."""

    def __init__(self, code: str, line: int, subject: str = "") -> None:
        super().__init__(f"{code} in line {line}: {subject}")
        self.code = code
        self.line = line
        self.subject = subject[:80]


@dataclass(frozen=True, slots=True)
class Tag:
    """One checked tag: where it stands, its normalised source, and what it reads."""

    start: int
    end: int
    source: str
    fields: frozenset[str]
    required: frozenset[str]  # read without a default
    is_control: bool


def tags(text: str) -> list[Tag]:
    """Every tag of a template, checked. Raises `TemplateProblem`."""
    if len(text) > LARGEST_BODY:
        raise TemplateProblem("too_long", 1, str(LARGEST_BODY))
    if "\x00" in text or "\ue000" in text:
        raise TemplateProblem("forbidden_character", 1)
    found: list[Tag] = []
    open_ifs: list[int] = []
    position = 0
    for match in _TAG.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        _refuse_stray(text, position, match.start())
        position = match.end()
        if match["output"] is not None:
            source, fields, required = _output(match["output"].strip(), line)
        else:
            source, fields = _control(match["control"].strip(), line, open_ifs)
            required = frozenset()
        found.append(Tag(match.start(), match.end(), source, fields, required, match["output"] is None))
        if len(found) > MOST_TAGS:
            raise TemplateProblem("too_many_tags", line, str(MOST_TAGS))
    _refuse_stray(text, position, len(text))
    if open_ifs:
        raise TemplateProblem("if_not_closed", open_ifs[-1])
    return found


def _refuse_stray(text: str, start: int, end: int) -> None:
    stray = _STRAY.search(text, start, end)
    if stray:
        raise TemplateProblem("tag_not_closed", text.count("\n", 0, stray.start()) + 1, stray.group())


def _field(path: str, line: int) -> str:
    if path not in FIELDS:
        raise TemplateProblem("unknown_field", line, path)
    return path


def _output(expression: str, line: int) -> tuple[str, frozenset[str], frozenset[str]]:
    match = _OUTPUT.fullmatch(expression)
    if match is None:
        raise TemplateProblem("bad_expression", line, expression)
    path = _field(match["path"], line)
    parts, has_default = [path], False
    for piece in re.findall(r"\|[^|]*", match["filters"]):
        one = re.fullmatch(_FILTER, piece.strip())
        if one is None:
            raise TemplateProblem("bad_expression", line, piece.strip())
        name, argument = one["name"], one["argument"]
        if name not in FILTERS:
            raise TemplateProblem("unknown_filter", line, name)
        if (name == "default") != (argument is not None):
            raise TemplateProblem("bad_expression", line, piece.strip())
        has_default = has_default or name == "default"
        parts.append(f"{name}({argument})" if argument else name)
    # The default stands first, so that every other filter gets a value.
    parts = [parts[0], *sorted(parts[1:], key=lambda part: not part.startswith("default"))]
    return "{{ " + " | ".join(parts) + " }}", frozenset({path}), frozenset() if has_default else frozenset({path})


def _control(expression: str, line: int, open_ifs: list[int]) -> tuple[str, frozenset[str]]:
    word, _, rest = expression.partition(" ")
    if word in {"else", "endif"} and not rest.strip():
        if not open_ifs:
            raise TemplateProblem("if_not_open", line, word)
        if word == "endif":
            open_ifs.pop()
        return "{% " + word + " %}", frozenset()
    if word == "elif" and not open_ifs:
        raise TemplateProblem("if_not_open", line, word)
    if word not in {"if", "elif"}:
        raise TemplateProblem("unknown_tag", line, word)
    fields = set()
    for term in re.split(r"\s+(?:and|or)\s+", rest.strip()):
        match = re.fullmatch(_TERM, term.strip())
        if match is None:
            raise TemplateProblem("bad_expression", line, term)
        fields.add(_field(match["path"], line))
    if word == "if":
        open_ifs.append(line)
        if len(open_ifs) > DEEPEST_NESTING:
            raise TemplateProblem("too_deep", line, str(DEEPEST_NESTING))
    return "{% " + word + " " + rest.strip() + " %}", frozenset(fields)
