"""Fixtures for tests of the local services; none of them uses the suite's own servers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from scrm.local.servers import Services
from scrm.local.testing import throwaway_directory


@pytest.fixture(scope="module")
def shared_data_dir() -> Iterator[Path]:
    """One DATA_DIR for the tests of a file: making a database cluster is what costs time."""
    with throwaway_directory() as directory:
        yield directory / "data"


@pytest.fixture
def services(shared_data_dir: Path) -> Iterator[Callable[..., Services]]:
    """A factory of users of one DATA_DIR's services; all of them let go at the end."""
    made: list[Services] = []

    def make(data_dir: Path | None = None, names: tuple[str, ...] = ("postgres", "valkey")) -> Services:
        user = Services(data_dir or shared_data_dir, list(names))
        made.append(user)
        return user

    yield make
    for user in made:
        user.release()


@pytest.fixture
def query() -> Callable[[str, str], list[tuple]]:
    """Run one statement on a server of its own and return its rows."""

    def run(url: str, statement: str) -> list[tuple]:
        with psycopg.connect(url, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return run
