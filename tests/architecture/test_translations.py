"""No half-translated page: every message in use has a finished Chinese translation."""

from __future__ import annotations

import re

from scrm.console import translations

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")


def test_every_message_is_translated() -> None:
    assert translations.missing() == {}


def test_no_translation_is_unused() -> None:
    used = {(context, msgid) for context, msgid, _ in translations.used()}
    assert [e.msgid for e in translations.read() if (e.msgctxt, e.msgid) not in used] == []


def test_translations_keep_their_placeholders() -> None:
    wrong = []
    for entry in translations.read():
        texts = [entry.msgstr, *entry.msgstr_plural.values()] if entry.msgid_plural else [entry.msgstr]
        wanted = set(PLACEHOLDER.findall(entry.msgid)) | set(PLACEHOLDER.findall(entry.msgid_plural or ""))
        wrong += [entry.msgid for text in texts if text and not set(PLACEHOLDER.findall(text)) <= wanted]
    assert wrong == []
