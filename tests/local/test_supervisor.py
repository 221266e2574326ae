"""The processes of `make run`: started again when they die, and gone when it is."""

import os
import select
import sys
import time

import pytest

from scrm.local.errors import LocalError
from scrm.local.supervisor import Child, Supervisor


@pytest.fixture
def child(tmp_path):
    """A factory of children that run a line of Python."""
    for folder in ("logs", "state"):
        (tmp_path / folder).mkdir()
    made = []

    def make(code):
        made.append(Child("web", [sys.executable, "-c", code], tmp_path))
        return made[-1]

    yield make
    for one in made:
        one.stop(5.0)


def wait_for_end(process):
    descriptor = os.pidfd_open(process.pid)
    select.select([descriptor], [], [], 10)
    os.close(descriptor)


def test_a_child_that_dies_is_reported_with_its_reason_and_started_again(child):
    said = []
    web = child("import sys; sys.exit('the wheels came off')")
    supervisor = Supervisor([web], os.environ, said.append)
    supervisor.start()
    first = web.process
    wait_for_end(first)
    supervisor.check()
    assert said == [f"web ended (exit code 1: the wheels came off); starting it again; see {web.log}"]
    web.due = time.monotonic()
    supervisor.check()
    assert web.process.pid != first.pid


def test_a_child_that_dies_at_the_start_stops_the_start(child):
    web = child("import sys; sys.exit('no such table')")
    supervisor = Supervisor([web], os.environ, print)
    supervisor.start()
    with pytest.raises(LocalError, match=r"^web did not start \(exit code 1: no such table\)"):
        supervisor.wait_until(lambda: False, patience=10)


def test_a_later_run_ends_what_a_killed_run_left(child):
    left = child("import time; time.sleep(60)")
    left.start(os.environ)
    child("pass").reap()
    assert left.process.wait(10) == -15


def test_a_process_that_only_got_the_same_number_is_left_alone(child):
    web = child("import time; time.sleep(60)")
    web.start(os.environ)
    web.note.write_text(f"{web.process.pid} 1")
    child("pass").reap()
    assert web.process.poll() is None
