"""A tag rule together with its tag: made in one step, so that no tag is left without the rule it was made for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from scrm.common.errors import Invalid
from scrm.common.transactions import atomic
from tags.models import TagRule
from tags.operations import automatic, catalogue


def create(
    *,
    tag_id: int | None,
    group_id: int | None = None,
    name: str = "",
    form: str,
    definition: dict[str, Any],
    now: datetime,
) -> TagRule:
    """A draft for a tag that is there, or for a new one in a group. Raises what making each of them raises."""
    with atomic():
        if tag_id is None:
            if group_id is None:
                raise Invalid(_("Choose the group of the new tag."), code="no_group", field="group")
            tag_id = catalogue.create_tag(group_id=group_id, name=name).pk
        return automatic.create(tag_id=tag_id, form=form, definition=definition, now=now)
