"""`make check` and `make test`: everything that is checked without running, then the tests."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scrm.local import chromium, preparation
from scrm.local.environment import ROOT
from scrm.local.testing import Servers

PROGRAMS = Path(sys.executable).parent
PYTHON = sys.executable


def static_checks() -> list[tuple[str, list[str | Path]]]:
    """The checks by name, the longest first."""
    checks: list[tuple[str, list[str | Path]]] = [
        ("mypy", [PROGRAMS / "mypy"]),
        ("import contracts", [PROGRAMS / "lint-imports", "--no-logo"]),
        ("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"]),
        ("django", [PYTHON, "manage.py", "check", "--fail-level", "WARNING"]),
        ("ruff check", [PROGRAMS / "ruff", "check", "--quiet", "."]),
        ("ruff format", [PROGRAMS / "ruff", "format", "--check", "--quiet", "."]),
    ]
    if any((ROOT / "templates").rglob("*.html")):
        checks.insert(1, ("templates", [PROGRAMS / "djlint", "templates", "--lint", "--quiet"]))
    return checks


def run_checks(environment: Mapping[str, str]) -> bool:
    """Run every check, some side by side; print a line for each that passes and the findings of each that does not."""

    def run(check: tuple[str, list[str | Path]]) -> bool:
        name, command = check
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
            print(f"{done.stdout.rstrip()}\nFAILED  {name}", flush=True)
        return done.returncode == 0

    with ThreadPoolExecutor(workers()) as pool:
        return all(list(pool.map(run, static_checks())))


def workers() -> int:
    """How many work side by side: as many as there are cores, at most 4."""
    return min(os.cpu_count() or 1, 4)


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
        arguments = ["-n", str(workers()), "--dist", "loadfile", "--no-loadscope-reorder", *arguments]
    command = [PYTHON, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
