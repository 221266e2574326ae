"""Every route says who may; a new one that does not fails here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from scrm.common.access import Permission

# Pages of libraries, which keep their own access rules: log-in and second factor, the superusers' admin, languages.
LIBRARIES = ("accounts/", "admin/", "i18n/")
# Open to anybody, on purpose.
PUBLIC_PAGES = {"health", "track_open", "track_click", "unsubscribe", "api_docs", "openapi", "favicon"}
# A member's own pages: the signed token in the address is the key to them.
OWN_PAGES = {
    "my_card", "my_points", "my_benefits", "my_benefit_claim", "my_benefit_code", "my_tasks", "my_task_claim",
    "my_check_in", "my_make_up",
}  # fmt: skip


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if path.startswith(LIBRARIES):
            continue
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path, pattern


def declared(pattern: URLPattern) -> Any:
    view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None) or pattern.callback
    return getattr(view, "permission", "undeclared")


def test_every_route_declares_a_permission() -> None:
    found = dict(routes(get_resolver().url_patterns))
    assert len(found) > 40
    undeclared = {path for path, pattern in found.items() if not isinstance(declared(pattern), Permission | None)}
    assert undeclared == set()


def test_only_the_known_routes_are_open_to_anybody() -> None:
    opened = {pattern.name for _, pattern in routes(get_resolver().url_patterns) if declared(pattern) is None}
    assert opened <= PUBLIC_PAGES | OWN_PAGES
