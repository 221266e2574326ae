"""A pytest plugin: the suite's own PostgreSQL and Valkey, started before Django reads its settings.

Load it early (`-p scrm.local.testing`). DATABASE_URL and REDIS_URL, when set, replace the servers. With
pytest-xdist the controller starts them and the workers inherit the addresses. They are gone after the run,
whatever ended it: the kernel stops them with us, and the next run removes what a killed one left in /tmp.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scrm.local import directories, processes
from scrm.local.locks import Lock
from scrm.local.postgres import Postgres
from scrm.local.secrets import new_data_keys, new_key
from scrm.local.valkey import Valkey

PREFIX = "scrm-test-"
SILENT_OPTIONS = {"--version", "-V", "--help", "-h", "--markers"}


class Servers:
    """The throwaway servers of one test run and the environment that leads to them."""

    def __init__(self) -> None:
        self.stack = ExitStack()

    def start(self) -> None:
        """Start what the environment does not provide, and fill the environment in."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        directory = self.stack.enter_context(throwaway_directory())
        if "DATABASE_URL" not in os.environ:
            postgres = Postgres(directory / "postgres", durable=False)
            self.stack.callback(postgres.stop)
            postgres.start()
            os.environ["DATABASE_URL"] = postgres.url
        if "REDIS_URL" not in os.environ:
            valkey = Valkey(directory / "valkey", durable=False)
            self.stack.callback(valkey.stop)
            valkey.start()
            os.environ["REDIS_URL"] = valkey.url
        os.environ.setdefault("SECRET_KEY", new_key())
        os.environ.setdefault("DATA_KEYS", new_data_keys())
        os.environ.setdefault("INDEX_KEY", new_key())
        os.environ.setdefault("ALLOWED_HOSTS", "*")
        os.environ.setdefault("DATA_DIR", str(directories.make_private(directory / "files")))

    def stop(self) -> None:
        """Stop the servers and delete their files; harmless when nothing runs."""
        self.stack.close()


class throwaway_directory:
    """A context with a directory in /tmp that is deleted at its end, or by a later run if we are killed."""

    def __enter__(self) -> Path:
        root = directories.temporary_root()
        gate = Lock(root / f"{PREFIX}{os.geteuid()}.lock")
        gate.take(patience=None)
        try:
            for abandoned in root.glob(f"{PREFIX}*/"):
                remove_if_abandoned(abandoned)
            self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
            # The server's user has to pass through to its own private folder.
            self.directory.chmod(0o711)
            self.lock = Lock(self.directory / "lock")
            self.lock.take()
        finally:
            gate.release()
        return self.directory

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.lock.release()


def remove_if_abandoned(directory: Path) -> None:
    """Delete the directory of a test run that was killed, and end its servers if any still live."""
    try:
        if directory.stat().st_uid != os.geteuid():
            return
    except FileNotFoundError:
        return
    lock = Lock(directory / "lock")
    if not lock.take():
        return
    for path in directory.iterdir():
        processes.reap(path / "data", "postgres", signal.SIGQUIT)
        processes.reap(path, "valkey-server", signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    lock.release()


servers = Servers()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Iterator[None]:
    """Start the servers: a wrapper, because pytest-django reads the settings in the same hook."""
    if "PYTEST_XDIST_WORKER" not in os.environ and not SILENT_OPTIONS & set(args):
        servers.start()
    try:
        yield
    except BaseException:  # settings that do not load: pytest ends here without unconfiguring
        servers.stop()
        raise


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers, also after Ctrl-C."""
    servers.stop()


@pytest.fixture
def private_directory() -> Iterator[Path]:
    """A short-named directory that a server of another user can reach (tmp_path is closed to it)."""
    with throwaway_directory() as directory:
        yield directory


@pytest.fixture
def durable_postgres(private_directory: Path) -> Iterator[Callable[..., Postgres]]:
    """A factory of extra PostgreSQL servers with production's durability, to be killed and started again."""
    made: list[Postgres] = []

    def make(name: str = "postgres", **options: object) -> Postgres:
        server = Postgres(private_directory / name, **options)  # type: ignore[arg-type]
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.destroy()


@pytest.fixture
def durable_valkey(private_directory: Path) -> Iterator[Callable[..., Valkey]]:
    """A factory of extra Valkey servers with production's durability, to be killed and started again."""
    made: list[Valkey] = []

    def make(name: str = "valkey", **options: object) -> Valkey:
        server = Valkey(private_directory / name, **options)  # type: ignore[arg-type]
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.destroy()
