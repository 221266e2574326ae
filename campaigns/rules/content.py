"""From what an operator writes to what a channel sends: light markup, safe HTML, a plain text, and its links.

An empty line ends a paragraph, `# ` starts a heading, `**bold**` is bold, `[words](https://…)` is a link and, alone
in its paragraph, a button. Everything else is text: operators write no HTML, so nothing of theirs can be script.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from campaigns.rules.expressions import Tag, TemplateProblem, tags

MOST_LINKS = 50
_LINK = re.compile(r"\[(?P<words>[^\[\]\n]{1,200})\]\((?P<url>[^()\s]{1,2000})\)")
_BARE = re.compile(r"https?://[^\s<>\"'\[\]()，。；、！？）】」\ue000\ue001]+")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_MARK = re.compile(r"\ue000(\d+)\ue001")
_UNSUBSCRIBE = "{{ unsubscribe_url }}"


@dataclass(frozen=True, slots=True)
class Content:
    """A checked message. The three sources are templates over the fields and `links`, a list of addresses."""

    subject: str
    text: str
    html: str
    links: tuple[str, ...]
    fields: frozenset[str]
    required: frozenset[str]  # fields read without a default


class _Links:
    """The distinct literal addresses of a message, by position."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def reference(self, url: str, line: int) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise TemplateProblem("bad_link", line, url)
        if url not in self.urls:
            if len(self.urls) == MOST_LINKS:
                raise TemplateProblem("too_many_links", line, str(MOST_LINKS))
            self.urls.append(url)
        return "{{ links[" + str(self.urls.index(url)) + "] }}"


def parse(*, subject: str, body: str) -> Content:
    """Check and translate a message. Raises `TemplateProblem` with the line of the body (0: of the subject)."""
    try:
        subject_tags = tags(subject)
    except TemplateProblem as problem:
        raise TemplateProblem(problem.code, 0, problem.subject) from problem
    if "\n" in subject or "\r" in subject:
        raise TemplateProblem("line_break", 0)
    body = body.replace("\r\n", "\n").replace("\r", "\n")
    body_tags = tags(body)
    marked = _mark(body, body_tags)
    links = _Links()
    both = [*subject_tags, *body_tags]
    return Content(
        subject=_unmark(_mark(subject, subject_tags), subject_tags),
        html=_unmark(_html(marked, body_tags, links), body_tags),
        text=_unmark(_text(marked, body_tags, links), body_tags),
        links=tuple(links.urls),
        fields=frozenset().union(*(tag.fields for tag in both)),
        required=frozenset().union(*(tag.required for tag in both)),
    )


def _mark(text: str, found: list[Tag]) -> str:
    """The text with a numbered mark in place of each tag, so that markup never looks inside one."""
    pieces, position = [], 0
    for number, tag in enumerate(found):
        pieces += [text[position : tag.start], f"\ue000{number}\ue001"]
        position = tag.end
    return "".join([*pieces, text[position:]])


def _unmark(text: str, found: list[Tag]) -> str:
    return _MARK.sub(lambda match: found[int(match[1])].source, text)


def _address(url: str, found: list[Tag], links: _Links, line: int) -> str:
    """The template expression that a link's address becomes. Only the unsubscribe address may be a field."""
    if "\ue000" not in url:
        return links.reference(url, line)
    mark = _MARK.fullmatch(url)
    if mark is None or found[int(mark[1])].source != _UNSUBSCRIBE:
        raise TemplateProblem("link_not_literal", line, _unmark(url, found))
    return _UNSUBSCRIBE


def _html(marked: str, found: list[Tag], links: _Links) -> str:
    blocks = []
    for block, line in _blocks(marked):
        if _only_control(block, found):
            blocks.append(block)
        elif match := _LINK.fullmatch(block):
            address = _address(match["url"], found, links, line)
            blocks.append(
                f'<p><a class="button" href="{address}">{_inline(match["words"], found, links, line)}</a></p>'
            )
        elif block.startswith("# "):
            blocks.append(f"<h1>{_inline(block[2:], found, links, line)}</h1>")
        else:
            blocks.append("<p>" + _inline(block, found, links, line).replace("\n", "<br>\n") + "</p>")
    return "\n".join(blocks)


def _only_control(block: str, found: list[Tag]) -> bool:
    rest = _MARK.sub(lambda match: "" if found[int(match[1])].is_control else "x", block)
    return not rest.strip()


def _inline(text: str, found: list[Tag], links: _Links, line: int) -> str:
    pieces, position = [], 0
    for match in re.finditer(f"{_LINK.pattern}|{_BARE.pattern}", text):
        pieces.append(_bold(text[position : match.start()]))
        url = match["url"] or match.group()
        address = _address(url, found, links, line)
        pieces.append(f'<a href="{address}">{_bold(match["words"] or url)}</a>')
        position = match.end()
    return "".join([*pieces, _bold(text[position:])])


def _bold(text: str) -> str:
    return _BOLD.sub(r"<strong>\1</strong>", html.escape(text))


def _text(marked: str, found: list[Tag], links: _Links) -> str:
    lines = []
    for number, line in enumerate(marked.split("\n"), 1):
        pieces, position = [], 0
        for match in re.finditer(f"{_LINK.pattern}|{_BARE.pattern}", line):
            pieces.append(line[position : match.start()])
            address = _address(match["url"] or match.group(), found, links, number)
            pieces.append(f"{match['words']} {address}" if match["words"] else address)
            position = match.end()
        plain = "".join([*pieces, line[position:]])
        lines.append(_BOLD.sub(r"\1", plain.removeprefix("# ")))
    return "\n".join(lines)


def _blocks(marked: str) -> list[tuple[str, int]]:
    """Paragraphs with the line each starts in. A line of only marks stays with its neighbours as written."""
    blocks: list[tuple[str, int]] = []
    current: list[str] = []
    for number, line in enumerate([*marked.split("\n"), ""], 1):
        if line.strip() and not (line.startswith("# ") and not current):
            current.append(line.strip())
            continue
        if current:
            blocks.append(("\n".join(current), number - len(current)))
            current = []
        if line.startswith("# "):
            blocks.append((line.strip(), number))
    return blocks
