"""The whole product, as `make run` starts it, and a real browser that walks through it."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
START_SECONDS = 240
LONGEST = ["test_tour_light.py", "test_tour_dark.py", "test_tags.py", "test_builder.py", "test_points.py"]

expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    # They come last, so that no product runs beside other tests for nothing; and the longest first, so that workers
    # end together.
    order = {here / name: place for place, name in enumerate(LONGEST, 1)}
    items.sort(key=lambda item: order.get(item.path, len(order) + 1) if here in item.path.parents else 0)
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not os.environ.get("CHROMIUM"):
                item.add_marker(pytest.mark.skip(reason="no Chromium: set CHROMIUM, or install it and run make test"))


@dataclass
class Product:
    """A running SCRM: its address, the demo login and, once somebody has logged in, the cookies of that."""

    address: str
    password: str
    environment: dict[str, str] | None = None  # of one that was started here
    cookies: list[Any] = field(default_factory=list)

    def url(self, path: str) -> str:
        return self.address.rstrip("/") + path

    def python(self, code: str) -> str:
        """Run code beside the product, on its database; answers what it printed."""
        if self.environment is None:
            pytest.skip("runs only on a product that the tests have started")
        environment = self.environment | {"CMD": shlex.join(["shell", "--no-imports", "-c", code])}
        command = [sys.executable, "-m", "scrm.local", "manage"]
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=120
        ).stdout.strip()

    def log_in(self, page: Page) -> None:
        """Log in with the form; who comes later has the same session."""
        if self.cookies:
            page.context.add_cookies(self.cookies)
            page.goto(self.url("/profile/"))
            return
        page.goto(self.url("/accounts/login/"))
        page.locator("input[name=login]").fill("demo")
        page.locator("input[name=password]").fill(self.password)
        page.locator("form button[type=submit]").last.click()
        page.wait_for_url(self.url("/"))
        self.cookies = [one for one in page.context.cookies() if one["name"] != "language"]


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """web, worker and beat on a demo brand of 300 members, with a database and broker of their own."""
    if running := os.environ.get("SCRM_JOURNEY"):  # "http://127.0.0.1:8000 PASSWORD": one that runs already
        address, password = running.split()
        yield Product(address, password)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data_dir = Path("/tmp") / f"scrm-journeys-{secrets.token_hex(4)}"  # noqa: S108  # short: it holds sockets
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DATA_KEYS", "INDEX_KEY", "DJANGO_SETTINGS_MODULE")
        and not key.startswith("PYTEST")
    } | {"PORT": str(port), "DATA_DIR": str(data_dir), "DEMO_MEMBERS": "300"}
    process = subprocess.Popen(
        [sys.executable, "-m", "scrm.local", "run"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(process, said, ready), daemon=True)
    reader.start()
    try:
        assert ready.wait(START_SECONDS), "".join(said[-40:])
        login = next((m for line in said if (m := re.match(r"Log in as demo / (\S+)", line))), None)
        assert login is not None, "".join(said[-40:])
        yield Product(f"http://127.0.0.1:{port}", login.group(1), environment)
    finally:
        process.terminate()
        process.wait(60)
        subprocess.run(["rm", "-rf", str(data_dir)], check=False)


def call(page: Page, path: str, body: object) -> dict[str, object]:
    """POST to the API as the page's own user."""
    answer = page.evaluate(
        """async ([path, body]) => {
            const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
            const answer = await fetch(path, {method: "POST", body: JSON.stringify(body),
                headers: {"Content-Type": "application/json", "X-CSRFToken": token}});
            return [answer.status, await answer.json()];
        }""",
        [f"/api/v1/{path}", body],
    )
    assert answer[0] in (200, 201), answer
    return dict(answer[1])


def _read(process: subprocess.Popen[str], said: list[str], ready: threading.Event) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if line.startswith("Log in as"):
            ready.set()
    ready.set()


# Not for the whole session: Playwright's event loop must have ended when a later test uses Django's database.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM"],
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield chromium
        chromium.close()


@dataclass
class Complaints:
    """What the browser complained about: console errors, CSP violations, uncaught exceptions."""

    lines: list[str] = field(default_factory=list)

    @property
    def real(self) -> list[str]:
        """All of them but requests that the browser gave up because the page was left meanwhile: nobody misses those.

        htmx tells of one in two lines, of which the first stands for other failures too.
        """
        left = list(self.lines)
        for line in self.lines:
            if line.endswith(": htmx:sendAbort"):
                left.remove(line)
                left.remove(line.replace("sendAbort", "afterRequest"))
        return left


@pytest.fixture
def open_page(browser: Browser, product: Product) -> Iterator[Callable[..., Page]]:
    """Opens a logged-in page: `open_page(language="en", viewport=PHONE, theme="dark")`. Fails on any complaint."""
    contexts = []
    complaints = Complaints()

    def build(*, language: str = "zh-hans", viewport: dict[str, int] = WIDE, theme: str = "light") -> Page:
        context = browser.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            locale="zh-CN" if language.startswith("zh") else "en-GB",
            color_scheme=theme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            timezone_id="Asia/Shanghai",
        )
        contexts.append(context)
        context.add_cookies([{"name": "language", "value": language, "url": product.address}])
        page = context.new_page()
        page.on("console", lambda m: complaints.lines.append(f"{page.url}: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.lines.append(f"{page.url}: {error}"))
        product.log_in(page)
        return page

    yield build
    for context in contexts:
        context.close()
    assert complaints.real == []
