"""From a bare Python to an environment: what is said when that cannot work, and wheels without pip."""

import io
import os
import socket
import stat
import subprocess
import sys
import zipfile

import pytest

from scrm.local import wheels
from scrm.local.environment import ROOT

BOOTSTRAP = ROOT / "scrm" / "local" / "bootstrap.py"


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_named_in_one_line():
    code = (
        "import runpy, sys, platform; sys.version_info = (3, 9, 2); platform.python_version = lambda: '3.9.2';"
        f"sys.argv = ['bootstrap.py']; runpy.run_path({str(BOOTSTRAP)!r}, run_name='__main__')"
    )
    done = run(code, PATH="/nonexistent")
    assert done.returncode == 1
    assert done.stderr == (
        f"scrm: Python 3.11 or newer is needed, but {sys.executable} is 3.9.2:"
        " name one: make PYTHON=/path/to/python3.11 …\n"
    )
    assert done.stdout == ""


def test_a_taken_port_is_told_in_one_line_before_anything_starts(private_directory):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run(
            "import sys; from scrm.local.__main__ import main; sys.argv = ['local', 'run']; sys.exit(main())",
            PORT=str(port),
            DATA_DIR=str(private_directory / "data"),
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"scrm: port {port} is taken by another program; choose another one: make run PORT={port + 1}\n"
    )
    assert not (private_directory / "data" / "postgres").exists()


def test_pips_configuration_is_honoured(monkeypatch, tmp_path):
    configuration = tmp_path / "pip.conf"
    configuration.write_text("[global]\nindex-url = https://mirror.example/simple/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert wheels.index_address() == "https://mirror.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://nearer.example/simple")
    assert wheels.index_address() == "https://nearer.example/simple"


def test_a_wheels_scripts_become_executable_and_nothing_leaves_the_target(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-1.0.data/scripts/uv", "#!/bin/sh\n")
        archive.writestr("uv/__init__.py", "")
        archive.writestr("../outside", "")
    wheels.unpack(content.getvalue(), "uv", "1.0", str(tmp_path / "target"))
    program = tmp_path / "target" / "bin" / "uv"
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert (tmp_path / "target" / "uv" / "__init__.py").exists()
    assert not (tmp_path / "outside").exists()


def test_an_index_that_cannot_be_reached_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    with pytest.raises(wheels.FetchError, match=r"^cannot reach http://127\.0\.0\.1:1/simple/uv/ \(.*network\?$"):
        wheels.fetch("uv", "1.0", str(tmp_path))
