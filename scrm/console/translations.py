"""Finding, merging and compiling translations without the gettext programs, which a bare machine lacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib  # type: ignore[import-untyped]  # it ships without types
from django.conf import settings
from django.utils.translation.template import templatize

LOCALE = "zh_Hans"
_SOURCES = ("scrm", "members", "tags", "analytics", "campaigns")
_FUNCTIONS = {"gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy", "_"}
_STRING = r"u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_TEMPLATE_CALL = re.compile(rf"\b(p?n?gettext|_)\(\s*{_STRING}(?:\s*,\s*{_STRING})?", re.DOTALL)

# (context or None, msgid, plural or None)
Message = tuple[str | None, str, str | None]


def catalogue_path() -> Path:
    return Path(settings.BASE_DIR) / "locale" / LOCALE / "LC_MESSAGES" / "django.po"


def used() -> dict[Message, str]:
    """Every message that templates and code ask for, with one place that does."""
    root = Path(settings.BASE_DIR)
    found: dict[Message, str] = {}
    for path in sorted((root / "templates").rglob("*.*")):
        if path.suffix in (".html", ".txt"):
            for message in _in_template(path.read_text("utf-8")):
                found.setdefault(message, str(path.relative_to(root)))
    for folder in _SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            for message in _in_python(path.read_text("utf-8")):
                found.setdefault(message, str(path.relative_to(root)))
    return found


def _in_template(text: str) -> Iterator[Message]:
    for match in _TEMPLATE_CALL.finditer(templatize(text)):
        function, first, second = match.groups()
        one, two = ast.literal_eval(first), ast.literal_eval(second) if second else None
        if function == "pgettext":
            yield one, two or "", None
        else:
            yield None, one, two if function == "ngettext" else None


def _in_python(text: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name not in _FUNCTIONS:
            continue
        texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if not texts:
            continue
        if name.startswith("pgettext"):
            yield texts[0], texts[1], None
        elif name.startswith("ngettext"):
            yield None, texts[0], texts[1]
        else:
            yield None, texts[0], None


def read(path: Path | None = None) -> polib.POFile:
    return polib.pofile(str(path or catalogue_path()))


def missing() -> dict[str, str]:
    """Messages without a finished Chinese translation, with the place that uses them."""
    done = {(entry.msgctxt, entry.msgid) for entry in read() if entry.translated() and not entry.fuzzy}
    return {msgid: place for (context, msgid, _), place in used().items() if (context, msgid) not in done and msgid}


def merge() -> int:
    """Rewrite the catalogue: what is used, sorted, keeping what is translated.

    Answers how many messages lack a translation.
    """
    known: dict[tuple[str | None, str], polib.POEntry] = {}
    path = catalogue_path()
    if path.exists():
        for entry in polib.pofile(str(path)):
            known[entry.msgctxt, entry.msgid] = entry
    catalogue = polib.POFile(wrapwidth=110)
    catalogue.metadata = {
        "Content-Type": "text/plain; charset=utf-8",
        "Language": LOCALE,
        "Plural-Forms": "nplurals=1; plural=0;",
    }
    lacking = 0
    for context, msgid, plural in sorted(
        used(), key=lambda message: (message[1].lower(), message[1], message[0] or "")
    ):
        if not msgid:
            continue
        old = known.get((context, msgid))
        entry = polib.POEntry(msgid=msgid, msgctxt=context)
        text = "" if old is None else old.msgstr or (old.msgstr_plural or {}).get(0, "")
        if plural:
            entry.msgid_plural, entry.msgstr_plural = plural, {0: text}
        else:
            entry.msgstr = text
        if "%(" in msgid:
            entry.flags.append("python-format")
        lacking += not text
        if catalogue.find(msgid, msgctxt=context or False) is None:
            catalogue.append(entry)
    catalogue.save(str(path))
    return lacking


def compile_all() -> None:
    """Write the binary catalogue next to the text one, when it is older."""
    path = catalogue_path()
    target = path.with_suffix(".mo")
    if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
        read().save_as_mofile(str(target))
