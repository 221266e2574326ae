"""The house keeps its shape: a newcomer finds any feature from the folder listing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("members", "tags", "analytics", "campaigns")
PACKAGES = {"api", "enums", "management", "migrations", "models", "operations", "queries", "rules", "web"}
MODULES = {"__init__.py", "admin.py", "apps.py", "enums.py", "filtersets.py", "tasks.py"}
FORBIDDEN = {"utils.py", "helpers.py", "services.py", "managers.py", "signals.py"}
LONGEST = 400


def python_files() -> list[Path]:
    return [
        path
        for folder in ("scrm", *APPS)
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
    ]


@pytest.mark.parametrize("app", APPS)
def test_every_app_has_the_same_shape(app: str) -> None:
    entries = {path.name for path in (ROOT / app).iterdir() if path.name != "__pycache__"}
    allowed = PACKAGES | MODULES | ({"channels"} if app == "campaigns" else set())
    assert entries <= allowed
    assert {"api", "models", "operations", "queries", "rules", "web", "tasks.py"} <= entries


def test_no_file_is_called_after_nothing() -> None:
    named_so = {str(p.relative_to(ROOT)) for p in python_files() if p.name in FORBIDDEN}
    assert named_so == set()


def test_no_file_is_too_long_to_read() -> None:
    long_ones = {str(p.relative_to(ROOT)): n for p in python_files() if (n := p.read_text().count("\n")) > LONGEST}
    assert long_ones == {}


def test_no_third_party_code_is_committed() -> None:
    found = [p for p in (ROOT / "frontend").rglob("*.min.*") if not {"node_modules", "dist"} & set(p.parts)]
    assert found == []


def test_templates_hold_no_inline_script_or_style() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|<style|\sstyle=|\son[a-z]+=\"", re.IGNORECASE)
    offenders = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "templates").rglob("*.html"))
        if inline.search(path.read_text())
    ]
    assert offenders == []
