"""What has to be in place before SCRM serves: translations, static files, the database's tables."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from scrm.local import processes
from scrm.local.environment import ROOT
from scrm.local.errors import LocalError


def django(*arguments: str, environment: Mapping[str, str], what: str, show: bool = False) -> None:
    """Run a management command to its end; its output goes to stderr with `show`, or when it fails.

    Raises LocalError("<what> failed …").
    """
    process = processes.spawn(
        [sys.executable, ROOT / "manage.py", *arguments],
        environment=environment,
        directory=ROOT,
        output=sys.stderr.fileno() if show else subprocess.PIPE,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        processes.stop(process, (15, 5.0))
        raise
    if process.returncode != 0:
        if output:
            sys.stderr.write(output.decode(errors="replace"))
        raise LocalError(f"{what} failed (exit code {process.returncode}); the reason is above")


def command_exists(name: str) -> bool:
    """Whether the project has a management command of this name."""
    return any(ROOT.glob(f"*/management/commands/{name}.py")) or any(ROOT.glob(f"scrm/*/management/commands/{name}.py"))


def fingerprint(paths: Iterable[Path]) -> str:
    """A hash over the contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file():
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def compile_translations(environment: Mapping[str, str]) -> None:
    """Compile locale/*.po when one changed; works without gettext's programs."""
    sources = list((ROOT / "locale").rglob("*.po"))
    compiled = [path.with_suffix(".mo") for path in sources if path.parent.name == "LC_MESSAGES"]
    stamp = ROOT / ".local" / "tools" / "translations"
    value = fingerprint(sources)
    current = stamp.exists() and stamp.read_text() == value and all(path.exists() for path in compiled)
    if current or not sources or not command_exists("compile_translations"):
        return
    django("compile_translations", environment=environment, what="compiling the translations")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value)


def collect_static_files(environment: Mapping[str, str]) -> None:
    """Gather static files under their hashed names when the front end or the packages changed."""
    stamp = Path(environment["DATA_DIR"]) / "state" / "static"
    sources = [path for path in (ROOT / "frontend" / "dist").rglob("*") if path.suffix != ".map"]
    value = fingerprint([*sources, ROOT / "uv.lock", ROOT / "scrm" / "settings" / "base.py"])
    if stamp.exists() and stamp.read_text() == value:
        return
    django("collectstatic", "--noinput", environment=environment, what="collecting the static files")
    stamp.write_text(value)


def migrate(environment: Mapping[str, str], *, unless_known: bool = False) -> None:
    """Bring the database's tables up to date.

    With `unless_known`, a database that this checkout's migrations have already been applied to is left
    alone, without asking it.
    """
    stamp = Path(environment["DATA_DIR"]) / "state" / "migrated"
    value = fingerprint(path for path in ROOT.glob("*/migrations/*.py"))
    value += fingerprint(path for path in ROOT.glob("scrm/*/migrations/*.py"))
    value += hashlib.sha256(environment["DATABASE_URL"].encode()).hexdigest()
    if unless_known and stamp.exists() and stamp.read_text() == value:
        return
    django("migrate", "--noinput", environment=environment, what="migrating the database")
    stamp.write_text(value)


def seed_demo(environment: Mapping[str, str]) -> None:
    """Load the demo brand into an empty database."""
    if command_exists("seed_demo"):
        members = os.environ.get("DEMO_MEMBERS", "20000")
        django(
            *("seed_demo", "--members", members, "--seed", "1", "--if-empty"),
            environment=environment,
            what="loading the demo brand",
        )
