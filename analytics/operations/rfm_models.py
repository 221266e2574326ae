"""What is computed: RFM models and their definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from analytics.enums import RunState
from analytics.models import RfmModel, RfmRun
from analytics.rules import rfm as rules
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic

DEFAULT_NAME = "标准 RFM"


def ensure_default() -> RfmModel:
    """The model that pages show first; made when it is missing."""
    with atomic():
        found = RfmModel.objects.filter(is_default=True).first()
        if found is None:
            found = RfmModel.objects.create(name=DEFAULT_NAME, is_default=True, definition=rules.dump(rules.parse({})))
    return found


def ensure_for_source(*, source_id: int, name: str) -> RfmModel:
    """The model of one source; made when it is missing.

    It is for an imported history: run on demand, not nightly, over a window of two years.
    """
    with atomic():
        found = RfmModel.objects.filter(source_id=source_id).order_by("id").first()
        if found is None:
            found = RfmModel.objects.create(
                name=name, source_id=source_id, window_days=730, nightly=False, definition=rules.dump(rules.parse({}))
            )
    return found


def redefine(
    *, model_id: int, version: int, window_days: int, definition: Mapping[str, Any], nightly: bool
) -> RfmModel:
    """Make the next version of a model. Scores stay as they are until the next run.

    Raises `NotFound`, `Invalid` with the code and field of `rules.BadDefinition` or `window_out_of_range`,
    `Conflict` `stale_version` when somebody else changed the model since `version`, or `run_in_progress`.
    """
    if not 1 <= window_days <= 3650:
        raise Invalid(_("The window is 1 to 3,650 days."), code="window_out_of_range", field="window_days")
    try:
        parsed = rules.parse(definition)
    except rules.BadDefinition as error:
        raise Invalid(_MESSAGES[error.code](), code=error.code, field=error.field) from error
    with atomic():
        model = RfmModel.objects.select_for_update().filter(pk=model_id).first()
        if model is None:
            raise NotFound(_("There is no such RFM model."), code="no_such_model")
        if model.version != version:
            raise Conflict(
                _("Somebody else has changed this model meanwhile. Load the page again and repeat your change."),
                code="stale_version",
            )
        if RfmRun.objects.filter(model=model, state__in=[RunState.AGGREGATING, RunState.PUBLISHING]).exists():
            raise Conflict(_("RFM is being computed already. Wait until it has finished."), code="run_in_progress")
        model.version += 1
        model.window_days, model.nightly = window_days, nightly
        model.definition = rules.dump(parsed)
        model.save()
    return model


_MESSAGES = {
    "unknown_mode": lambda: _("This way of cutting is not known."),
    "four_values_needed": lambda: _("Four cut points are needed."),
    "not_ascending": lambda: _("Cut points have to rise."),
    "value_needed": lambda: _("A value is needed."),
}
