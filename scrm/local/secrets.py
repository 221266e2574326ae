"""The secrets of a local installation: made once, kept in files that only their owner can read."""

import base64
import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from scrm.local.directories import make_private


def new_password() -> str:
    """A password of 144 random bits, safe in URLs and configuration files."""
    return secrets.token_urlsafe(18).replace("-", "x").replace("_", "y")


def new_key() -> str:
    """32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def new_data_keys() -> str:
    """A first data key with its id, in the form of DATA_KEYS."""
    return f"k1:{new_key()}"


MAKERS: dict[str, Callable[[], str]] = {
    "postgres_password": new_password,
    "valkey_password": new_password,
    "secret_key": lambda: secrets.token_urlsafe(50),
    "data_keys": new_data_keys,
    "index_key": new_key,
    "demo_password": lambda: secrets.token_hex(6),
}


class Secrets:
    """The secrets of one DATA_DIR, each in a file of mode 0600 that is made at first use."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir / "secrets"

    def __getitem__(self, name: str) -> str:
        """The secret `name` (one of MAKERS); two processes asking at once get the same one."""
        path = self.directory / name
        if not path.exists():
            make_private(self.directory)
            draft = self.directory / f".{name}.{os.getpid()}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(MAKERS[name]())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_text().strip()
