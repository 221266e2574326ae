"""The member list's filters, for the page and for the API alike."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as api_filters

from members.enums import AdjustmentState, BenefitKind, BenefitState, EntryKind
from members.models import Benefit, Member, PointsAdjustment, PointsEntry
from members.queries import directory, points_ledger
from members.rules.points import LARGEST_AMOUNT
from scrm.common import clock
from scrm.common.member_filters import Filter, Kind, groups

_TYPES: dict[Kind, type[django_filters.Filter]] = {
    Kind.TEXT: django_filters.CharFilter,
    Kind.CHOICE: django_filters.CharFilter,
    Kind.DATE: django_filters.DateFilter,
    Kind.COUNT: django_filters.NumberFilter,
    Kind.MONEY: django_filters.NumberFilter,
}


class _MemberFilterSet(api_filters.FilterSet):
    """Checks and applies by `members.queries.directory`, so that bulk acts on a list address select the same members.

    Raises `Invalid` (code `bad_filter`, field = the parameter).
    """

    class Meta:
        model = Member
        fields: list[str] = []

    def is_valid(self) -> bool:
        self.selection = directory.select(self.data or {}, actor=self.request.actor)
        return True

    @property
    def qs(self) -> QuerySet[Member]:
        actor = self.request.actor
        selection = directory.select(self.data or {}, actor=actor)
        return directory.narrow(self.queryset.all(), selection, actor=actor, as_of=clock.now())


def _declared(item: Filter) -> django_filters.Filter:
    label = str(item.label)
    if item.multiple:
        return django_filters.MultipleChoiceFilter(label=label)
    return _TYPES[item.kind](label=label)


# The apps have registered their filters by the time that addresses are loaded.
_declarations: dict[str, Any] = {item.key: _declared(item) for group in groups() for item in group.filters}
MemberFilterSet: type[_MemberFilterSet] = type("MemberFilterSet", (_MemberFilterSet,), _declarations)


def _whole(label: Any, most: int) -> django_filters.NumberFilter:
    return django_filters.NumberFilter(min_value=1, max_value=most, decimal_places=0, label=label)


class PointsEntryFilterSet(api_filters.FilterSet):
    """The ledger of everybody: member, reference, rare kinds and people have indexes, the others narrow the latest."""

    member = _whole(_("Member"), 2**63 - 1)
    currency = django_filters.CharFilter(max_length=32, label=_("Kind of points"))
    kind = django_filters.MultipleChoiceFilter(choices=EntryKind.choices, label=_("Kind"))
    reference = django_filters.CharFilter(max_length=120, label=_("Reference"))
    source = django_filters.CharFilter(max_length=80, label=_("Source"))
    actor = django_filters.CharFilter(max_length=40, label=_("Booked by"))
    booked_after = django_filters.DateFilter(label=_("From"))
    booked_before = django_filters.DateFilter(label=_("To"))
    amount_min = _whole(_("At least"), LARGEST_AMOUNT)
    amount_max = _whole(_("At most"), LARGEST_AMOUNT)

    class Meta:
        model = PointsEntry
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[PointsEntry]) -> QuerySet[PointsEntry]:
        return points_ledger.narrow(queryset, self.form.cleaned_data)


class AdjustmentFilterSet(api_filters.FilterSet):
    """Corrections by hand, by where they stand and whose balance they concern."""

    state = django_filters.ChoiceFilter(choices=AdjustmentState.choices, label=_("State"))
    member = django_filters.NumberFilter(
        field_name="member_id", min_value=1, max_value=2**63 - 1, decimal_places=0, label=_("Member")
    )

    class Meta:
        model = PointsAdjustment
        fields: list[str] = []


class BenefitFilterSet(django_filters.FilterSet):
    """The catalogue of benefits."""

    q = django_filters.CharFilter(method="search", label=_("Search"))
    kind = django_filters.ChoiceFilter(choices=BenefitKind.choices, label=_("Kind"))
    state = django_filters.ChoiceFilter(choices=BenefitState.choices, label=_("State"))

    class Meta:
        model = Benefit
        fields = ["q", "kind", "state"]

    def search(self, queryset: QuerySet[Benefit], _name: str, value: str) -> QuerySet[Benefit]:
        text = value.replace("\0", "")
        return queryset.filter(Q(name__icontains=text) | Q(key__icontains=text) | Q(description__icontains=text))
