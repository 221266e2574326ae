"""What all tests share: the night-size proofs run only when asked for."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("SCRM_LONG") != "1":
        long = pytest.mark.skip(reason="night size: run by make test-long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(long)
