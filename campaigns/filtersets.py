"""The campaign list's filters, for the page and for the API alike."""

from __future__ import annotations

import django_filters
from django.utils.translation import gettext_lazy as _

from campaigns.enums import CampaignState, ChannelKind
from campaigns.models import Campaign


class CampaignFilterSet(django_filters.FilterSet):
    """By name, state and channel."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", max_length=80, label=_("Name"))
    state = django_filters.MultipleChoiceFilter(choices=CampaignState.choices, label=_("State"))
    channel = django_filters.ChoiceFilter(choices=ChannelKind.choices, label=_("Channel"))

    class Meta:
        model = Campaign
        fields: list[str] = []
