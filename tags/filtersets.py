"""One FilterSet per list, used by the page and by the API."""

from __future__ import annotations

import django_filters as filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from tags.enums import SegmentKind, TagKind
from tags.models import Segment, Tag

_STATES = [("active", _("In use")), ("archived", _("Archived"))]


def _no_nul(text: str) -> str:
    return text.replace("\0", "")


class TagFilterSet(filters.FilterSet):
    """Without a `state`, only tags in use."""

    q = filters.CharFilter(method="search", label=_("Search"))
    kind = filters.ChoiceFilter(choices=TagKind.choices, label=_("Kind"))
    group = filters.NumberFilter(field_name="group_id", label=_("Tag group"), min_value=0, max_value=2**31)
    state = filters.ChoiceFilter(choices=_STATES, method="in_state", label=_("State"))
    owner = filters.CharFilter(method="owned_by", label=_("Owner"))

    class Meta:
        model = Tag
        fields = ["q", "kind", "group", "state", "owner"]

    def search(self, queryset: QuerySet[Tag], _name: str, value: str) -> QuerySet[Tag]:
        text = _no_nul(value)
        return queryset.filter(
            Q(name__icontains=text) | Q(group__name__icontains=text) | Q(description__icontains=text)
        )

    def owned_by(self, queryset: QuerySet[Tag], _name: str, value: str) -> QuerySet[Tag]:
        """`me`, or the id of a user; nobody has an owner that is neither."""
        actor = getattr(self.request, "actor", None)
        if value == "me":
            return queryset.filter(owner_id=actor.id) if actor is not None and actor.kind == "user" else queryset.none()
        is_id = value.isascii() and value.isdigit() and len(value) <= 18
        return queryset.filter(owner_id=int(value)) if is_id else queryset.none()

    def in_state(self, queryset: QuerySet[Tag], _name: str, _value: str) -> QuerySet[Tag]:
        return queryset

    def filter_queryset(self, queryset: QuerySet[Tag]) -> QuerySet[Tag]:
        archived = self.form.cleaned_data.get("state") == "archived"
        found: QuerySet[Tag] = super().filter_queryset(queryset).filter(archived_at__isnull=not archived)
        return found


class SegmentFilterSet(filters.FilterSet):
    """Without a `state`, only segments in use."""

    q = filters.CharFilter(method="search", label=_("Search"))
    kind = filters.ChoiceFilter(choices=SegmentKind.choices, label=_("Kind"))
    state = filters.ChoiceFilter(choices=_STATES, method="in_state", label=_("State"))

    class Meta:
        model = Segment
        fields = ["q", "kind", "state"]

    def search(self, queryset: QuerySet[Segment], _name: str, value: str) -> QuerySet[Segment]:
        text = _no_nul(value)
        return queryset.filter(Q(name__icontains=text) | Q(description__icontains=text))

    def in_state(self, queryset: QuerySet[Segment], _name: str, _value: str) -> QuerySet[Segment]:
        return queryset

    def filter_queryset(self, queryset: QuerySet[Segment]) -> QuerySet[Segment]:
        archived = self.form.cleaned_data.get("state") == "archived"
        found: QuerySet[Segment] = super().filter_queryset(queryset).filter(archived_at__isnull=not archived)
        return found
