"""What all tests share: the night-size proofs run only when asked for, and tables can be emptied between tests."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.db import connection


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("SCRM_LONG") != "1":
        long = pytest.mark.skip(reason="night size: run by make test-long")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(long)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:  # noqa: PT004
    """The ledger refuses to be emptied, which is how Django cleans up after tests with transactions of their own."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("members_pointsentry", "members_pointsallocation"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER points_never_emptied")
