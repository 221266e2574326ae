"""The browser that the console's tests walk through the pages with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """A Chromium's path: from CHROMIUM, from PATH, or one that Playwright has downloaded."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return chosen if shutil.which(chosen) else None
    for name in NAMES:
        if found := shutil.which(name):
            return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    places = sorted(cache.glob("chromium-*/chrome-linux*/chrome"), reverse=True)
    return str(places[0]) if places else None


def install() -> str | None:
    """Install Debian's Chromium when we are root and have apt-get; its path, or None."""
    if os.geteuid() != 0 or not shutil.which("apt-get") or os.environ.get("CHROMIUM"):
        return None
    print("scrm: installing Chromium for the browser tests …", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-noto-cjk"],
    ):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            reason = lines[-1] if lines else f"exit code {done.returncode}"
            print(f"scrm: {' '.join(command[:2])} failed: {reason}", file=sys.stderr)
            if command[1] == "install":
                return None
    return find()
