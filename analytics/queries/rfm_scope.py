"""What an RFM model's scope and currency come down to: the sources, stores, channels and products that count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.utils.translation import gettext as _

from analytics.queries.summary import sources as sources
from analytics.rules import rfm_scope
from scrm.common.errors import Invalid

_CHANNELS = "analytics:channels"


@dataclass(frozen=True, slots=True)
class Counted:
    """The orders that count; None where nothing narrows. `currency` is the one of all their amounts."""

    currency: str
    source_ids: tuple[int, ...] | None = None
    store_ids: tuple[int, ...] | None = None
    channels: tuple[str, ...] | None = None
    product_ids: tuple[int, ...] | None = None

    @property
    def is_by_source_only(self) -> bool:
        """Whether the covering index of orders tells everything."""
        return self.store_ids is None and self.channels is None and self.product_ids is None


def shop_currency() -> str:
    """CNY, or the only currency there is."""
    found = sorted({row.currency for row in sources()})
    return "CNY" if "CNY" in found or not found else found[0]


def resolve(*, currency: str, scope: Mapping[str, Any]) -> Counted:
    """What counts now. Sources of another currency never do; without a currency it is the shop's."""
    wanted = rfm_scope.parse(scope)
    every = sources()
    currency = currency or shop_currency()
    allowed = [row.id for row in every if row.currency == currency and (not wanted.sources or row.id in wanted.sources)]
    return Counted(
        currency=currency,
        source_ids=None if len(allowed) == len(every) else tuple(allowed),
        store_ids=_stores(wanted) if wanted.stores or wanted.regions else None,
        channels=wanted.channels or None,
        product_ids=_products(wanted) if wanted.categories else None,
    )


def check(*, currency: str, scope: rfm_scope.Scope) -> None:
    """Refuse sources that are not there or have another currency than the model: amounts would not add up.

    Raises `Invalid` (`no_such_source`, `mixed_currencies`, `unknown_currency`).
    """
    known = {row.id: row for row in sources()}
    if missing := set(scope.sources) - set(known):
        raise Invalid(_("There is no such source."), code="no_such_source", field="scope.sources", source=min(missing))
    currencies = {known[source_id].currency for source_id in scope.sources}
    if len(currencies | ({currency} if currency else set())) > 1:
        raise Invalid(
            _("These sources have different currencies, whose amounts cannot be added up: choose sources of one."),
            code="mixed_currencies",
            field="scope.sources",
            currencies=sorted(currencies),
        )
    if currency and currency not in {row.currency for row in known.values()} | {"CNY"}:
        raise Invalid(_("No source has this currency."), code="unknown_currency", field="currency")


def _stores(wanted: rfm_scope.Scope) -> tuple[int, ...]:
    """The stores named that are in the regions named."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM members_store WHERE (%(stores)s::bigint[] = '{}' OR id = ANY(%(stores)s::bigint[]))"
            " AND (%(regions)s::bigint[] = '{}' OR region_id = ANY(%(regions)s::bigint[]))",
            {"stores": list(wanted.stores), "regions": list(wanted.regions)},
        )
        return tuple(row[0] for row in cursor.fetchall())


def _products(wanted: rfm_scope.Scope) -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM members_product WHERE category = ANY(%s)", [list(wanted.categories)])
        return tuple(row[0] for row in cursor.fetchall())


def choices() -> dict[str, list[tuple[Any, str]]]:
    """What a scope can name, for forms: (value, label) per kind."""
    with connection.cursor() as cursor:
        found: dict[str, list[tuple[Any, str]]] = {
            "sources": [(row.id, f"{row.name or row.key} ({row.currency})") for row in sources()]
        }
        for kind, sql in (
            ("stores", "SELECT id, name FROM members_store ORDER BY name LIMIT 1000"),
            ("regions", "SELECT id, name FROM members_region ORDER BY name LIMIT 1000"),
            (
                "categories",
                "SELECT DISTINCT category, category FROM members_product WHERE category <> '' ORDER BY 1 LIMIT 1000",
            ),
        ):
            cursor.execute(sql)
            found[kind] = cursor.fetchall()
    return found | {"channels": [(channel, channel) for channel in _channels()]}


def _channels() -> list[str]:
    """The channels in use: those of the newest orders, looked up every few minutes."""
    kept: list[str] | None = cache.get(_CHANNELS)
    if kept is None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT channel FROM (SELECT channel FROM members_order WHERE counts AND paid_at IS NOT NULL"
                " ORDER BY paid_at DESC LIMIT 20000) newest WHERE channel <> '' ORDER BY 1"
            )
            kept = [row[0] for row in cursor.fetchall()]
        cache.set(_CHANNELS, kept, 300)
    return kept
