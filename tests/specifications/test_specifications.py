"""The specifications beside this file, each a sentence and what proves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.specifications.scripts import Play, check

FILES = sorted(Path(__file__).parent.glob("*.yaml"))
SPECS = [(path.stem, spec) for path in FILES for spec in yaml.safe_load(path.read_text())]


def test_there_are_enough_and_none_twice() -> None:
    sentences = [spec["it"] for _topic, spec in SPECS]
    assert len(sentences) >= 120
    assert len(set(sentences)) == len(sentences)


@pytest.mark.django_db
@pytest.mark.parametrize("spec", [pytest.param(spec, id=f"{topic}: {spec['it']}") for topic, spec in SPECS])
def test_it(spec: dict[str, Any]) -> None:
    check(spec)
    play = Play(spec)
    for number, step in enumerate(spec["steps"], 1):
        try:
            play.play(step)
        except AssertionError as error:
            raise AssertionError(f"step {number}: {step}\n{error}") from error
    play.agree()
