"""Filters of the lists of analytics."""

from __future__ import annotations

import django_filters

from analytics.enums import RunState
from analytics.models import RfmModel, RfmRun


class RfmRunFilter(django_filters.FilterSet):
    """Runs of one model, in one state, as of a day or later."""

    model = django_filters.ModelChoiceFilter(queryset=RfmModel.objects.all())
    state = django_filters.ChoiceFilter(choices=RunState.choices)
    as_of_from = django_filters.DateFilter(field_name="as_of", lookup_expr="gte")

    class Meta:
        model = RfmRun
        fields: list[str] = []
