"""`make check` and `make test`: everything that is checked without running, then the tests."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from scrm.local import chromium, preparation
from scrm.local.environment import ROOT
from scrm.local.testing import Servers

PROGRAMS = Path(sys.executable).parent
PYTHON = sys.executable


def static_checks() -> list[tuple[str, list[str | Path]]]:
    """The checks by name, in the order of their cost."""
    checks: list[tuple[str, list[str | Path]]] = [
        ("ruff check", [PROGRAMS / "ruff", "check", "--quiet", "."]),
        ("ruff format", [PROGRAMS / "ruff", "format", "--check", "--quiet", "."]),
        ("import contracts", [PROGRAMS / "lint-imports", "--no-logo"]),
        ("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"]),
        ("django", [PYTHON, "manage.py", "check", "--fail-level", "WARNING"]),
        ("mypy", [PROGRAMS / "mypy"]),
    ]
    if any((ROOT / "templates").rglob("*.html")):
        checks.insert(3, ("templates", [PROGRAMS / "djlint", "templates", "--lint", "--quiet"]))
    return checks


def run_checks(environment: Mapping[str, str]) -> bool:
    """Run every check, printing one line for each that passes and the findings of each that does not."""
    passed = True
    for name, command in static_checks():
        started = time.monotonic()
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            print(f"ok      {name} ({time.monotonic() - started:.1f} s)", flush=True)
        else:
            passed = False
            print(done.stdout.rstrip())
            print(f"FAILED  {name}", flush=True)
    return passed


def check() -> int:
    """Run the static checks, with throwaway servers for those that load Django."""
    servers = Servers()
    servers.start()
    try:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "scrm.settings.test"}
        preparation.compile_translations(environment)
        return 0 if run_checks(environment) else 1
    finally:
        servers.stop()


def test() -> int:
    """Run pytest, with ARGS added, in as many processes as there are cores (at most 4); its exit code."""
    arguments = shlex.split(os.environ.get("ARGS", ""))
    browser = chromium.find() or chromium.install()
    if browser:
        os.environ["CHROMIUM"] = browser
    else:
        print(
            "scrm: browser tests are skipped: there is no Chromium;"
            " install it (apt-get install chromium) or set CHROMIUM to its path",
            flush=True,
        )
    if not any(part.startswith(("-n", "--numprocesses")) for part in arguments):
        arguments = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile", *arguments]
    command = [PYTHON, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
