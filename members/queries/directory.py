"""The member list: who is in it, in what order, how many, and what each row shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import QueryDict
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from members.enums import MemberStatus
from members.models import Member
from members.queries import criteria as criteria  # registers the filters of members themselves
from members.queries import scopes
from members.queries import tier_list as tier_list  # registers theirs
from scrm.common import clock, pagination, panels
from scrm.common.access import Actor
from scrm.common.errors import Invalid
from scrm.common.member_filters import MOST_VALUES, Filter, Members, Test, groups
from scrm.common.pagination import Page

# A count is exact up to here; above, the planner's estimate is shown until somebody asks.
EXACT_UP_TO = 10_000
# The planner's cost above which counting would make the page wait.
DEAR = 40_000.0

# Walking an index in the list's order finds a page at once, unless the filter's members are all at its far end (the
# lost by their last order, latest first). A walk that takes longer is given up: all matches are found, then sorted.
PATIENCE_MS = 400

# What the list can be sorted by: the name in the address → the columns in the order of an index.
SORTS: dict[str, tuple[tuple[str, bool], ...]] = {
    "-joined": (("joined_at", True), ("id", True)),
    "joined": (("joined_at", False), ("id", False)),
    "-net": (("summary__net_amount", True), ("summary__member", True)),
    "net": (("summary__net_amount", False), ("summary__member", False)),
    "-orders": (("summary__order_count", True), ("summary__member", True)),
    "orders": (("summary__order_count", False), ("summary__member", False)),
    "-last_order": (("summary__last_order_at", True), ("summary__member", True)),
    "last_order": (("summary__last_order_at", False), ("summary__member", False)),
}
DEFAULT_SORT = "-joined"
# Said by the address, but no filters.
CONTROLS = frozenset({"sort", "cursor", "page_size", "count", "export", "format"})

ROW_COLUMNS = (
    "name",
    "gender",
    "city",
    "phone_masked",
    "email_masked",
    "joined_at",
    "updated_at",
    "store__name",
    "owner__name",
    "summary__order_count",
    "summary__net_amount",
    "summary__last_order_at",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One value of one filter, as given and as understood."""

    filter: Filter
    raw: str
    value: Any


@dataclass(frozen=True, slots=True)
class Selection:
    """The filters of one address, checked."""

    chosen: Sequence[Chosen] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


def filters_for(actor: Actor) -> list[Filter]:
    """Every filter the actor may use, in the order of registration."""
    return [item for group in groups() if actor.may(group.permission) for item in group.filters]


def select(params: QueryDict | Mapping[str, Any], *, actor: Actor) -> Selection:
    """Check an address's parameters. Unknown names are ignored, empty values mean nothing.

    Raises `Invalid` (code `bad_filter`, field = the parameter) on a value that a filter does not take.
    """
    chosen: list[Chosen] = []
    values: dict[str, Any] = {}
    for item in filters_for(actor):
        given = [raw for raw in _given(params, item.key) if raw.strip()]
        if len(given) > MOST_VALUES:
            raise item.refusal(_("too many values"))
        given = list(dict.fromkeys(given)) if item.multiple else given[-1:]
        cleaned = [Chosen(item, raw, item.clean(raw)) for raw in given]
        if cleaned:
            chosen += cleaned
            values[item.key] = [one.value for one in cleaned] if item.multiple else cleaned[0].value
    return Selection(chosen, values)


def _given(params: QueryDict | Mapping[str, Any], key: str) -> list[str]:
    if isinstance(params, QueryDict):
        return [str(value) for value in params.getlist(key)]
    value: Any = params.get(key, [])
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def visible(actor: Actor) -> QuerySet[Member]:
    """Every active member whom the actor may see."""
    return Member.objects.filter(scopes.members_of(actor), status=MemberStatus.ACTIVE)


def narrow(queryset: QuerySet[Member], selection: Selection, *, actor: Actor, as_of: datetime) -> QuerySet[Member]:
    """`queryset` without the members that the selection leaves out."""
    for group in groups():
        values = {key: value for key, value in selection.values.items() if key in group.keys}
        if not values or not actor.may(group.permission):
            continue
        condition = group.narrow(values, as_of)
        if isinstance(condition, Members):
            queryset = queryset.filter(pk__in=RawSQL(condition.sql, tuple(condition.params)))  # noqa: S611
        elif isinstance(condition, Test):
            queryset = queryset.filter(RawSQL(condition.sql, tuple(condition.params), BooleanField()))  # noqa: S611
        elif isinstance(condition, Q):
            queryset = queryset.filter(condition)
    return queryset


def matching(*, actor: Actor, params: QueryDict | Mapping[str, Any], as_of: datetime | None = None) -> QuerySet[Member]:
    """The members that a list address selects, limited to the actor's data scope; unordered.

    Bulk acts on "everything that matches" use the same address as the list. Raises `Invalid`.
    """
    selection = select(params, actor=actor)
    return narrow(visible(actor), selection, actor=actor, as_of=as_of or clock.now())


def sort_of(params: QueryDict | Mapping[str, Any]) -> str:
    """The sort an address names. Raises `Invalid` (code `bad_sort`)."""
    sort = (_given(params, "sort") or [""])[-1] or DEFAULT_SORT
    if sort not in SORTS:
        raise Invalid(_("The list cannot be sorted like this."), code="bad_sort", field="sort")
    return sort


def page(
    queryset: QuerySet[Member], *, sort: str = DEFAULT_SORT, cursor: str | None = None, size: int = 50
) -> Page[Member]:
    """One page of rows, with what the registered apps show in them as `row.shown[name]`.

    A constant number of queries. Raises `Invalid` (code `bad_cursor`).
    """
    rows = queryset.select_related("summary", "store", "owner").only(*ROW_COLUMNS)
    try:
        with transaction.atomic(), connection.cursor() as settings:
            settings.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE_MS)])
            found = pagination.paginate(rows, order=SORTS[sort], cursor=cursor, size=size)
            settings.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        with transaction.atomic(), connection.cursor() as settings:
            settings.execute("SET LOCAL enable_nestloop = off")
            found = pagination.paginate(rows, order=SORTS[sort], cursor=cursor, size=size)
            settings.execute("SET LOCAL enable_nestloop TO DEFAULT")
    decorate(found.rows)
    return found


def decorate(rows: Sequence[Member]) -> None:
    """Put what higher apps know about these members on each row as `shown`."""
    known = panels.row_values([row.pk for row in rows])
    for row in rows:
        row.shown = {name: values.get(row.pk) for name, values in known.items()}  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    exact: bool

    @property
    def is_estimate(self) -> bool:
        return not self.exact


def count(queryset: QuerySet[Member], *, exact: bool = False) -> Count:
    """How many members match: exact when asked or when it is cheap, otherwise the planner's estimate."""
    plain = queryset.order_by()
    if exact:
        return Count(plain.count(), exact=True)
    rows, cost = _estimate(plain)
    if rows > EXACT_UP_TO or cost > DEAR:
        return Count(rows, exact=False)
    # The estimate may be far too low: counting stops where the page stops promising exactness.
    counted = plain.values("pk")[: EXACT_UP_TO + 1].count()
    return Count(counted, exact=True) if counted <= EXACT_UP_TO else Count(max(rows, counted), exact=False)


def _estimate(queryset: QuerySet[Member]) -> tuple[int, float]:
    sql, params = queryset.values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        answer = cursor.fetchone()[0]
    plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return int(plan["Plan Rows"]), float(plan["Total Cost"])
