"""The environment that SCRM's processes run in on this machine."""

import os
from collections.abc import Mapping
from pathlib import Path

from scrm.local.secrets import Secrets

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICE_VARIABLES = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}


def data_directory() -> Path:
    """DATA_DIR as an absolute path; relative ones start at the project's folder."""
    return (ROOT / os.environ.get("DATA_DIR", ".local")).absolute()


def needed_services() -> list[str]:
    """The embedded services that the environment does not replace by an address of its own."""
    return [name for name, variable in SERVICE_VARIABLES.items() if not os.environ.get(variable)]


def local_environment(data_dir: Path, addresses: Mapping[str, str], *, port: int | None = None) -> dict[str, str]:
    """The variables that scrm.settings reads. What the caller's environment says wins over what is local.

    `addresses` maps DATABASE_URL and REDIS_URL to the embedded services, as far as those are used.
    """
    kept = Secrets(data_dir)
    values = {
        "DJANGO_SETTINGS_MODULE": "scrm.settings.local",
        "PUBLIC_URL": f"http://127.0.0.1:{port or os.environ.get('PORT') or 8000}",
        **addresses,
    }
    for variable in ("SECRET_KEY", "DATA_KEYS", "INDEX_KEY", "DEMO_PASSWORD"):
        if not os.environ.get(variable):
            values[variable] = kept[variable.lower()]
    given = {name: value for name, value in os.environ.items() if name not in values or value}
    return {**values, **given, "DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
