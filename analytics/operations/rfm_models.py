"""What is computed: RFM models, their definitions, and every version these ever had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from analytics.enums import RunState
from analytics.models import RfmModel, RfmModelVersion, RfmRun
from analytics.queries import rfm_scope as scope_queries
from analytics.rules import rfm as rules
from analytics.rules import rfm_scope
from scrm.common.access import Actor, DataScope
from scrm.common.errors import Conflict, Forbidden, Invalid, NotFound
from scrm.common.transactions import atomic, current_actor
from tags.operations import watches

DEFAULT_NAME = "标准 RFM"
# A nightly run each: more would not be done by morning, and nobody reads so many.
MOST_MODELS = 50


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a model that has versions."""

    name: str
    window_days: int = 365
    currency: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)
    nightly: bool = True

    @classmethod
    def of(cls, model: RfmModel) -> Content:
        return cls(model.name, model.window_days, model.currency, model.scope, model.definition, model.nightly)

    def checked(self) -> Content:
        """The same, as it is stored. Raises `Invalid` with the code and field of what cannot be computed."""
        name = self.name.strip()
        if not name or len(name) > 60 or "\x00" in name:
            raise Invalid(_("A name of 1 to 60 characters is needed."), code="bad_name", field="name")
        if not 1 <= self.window_days <= 3650:
            raise Invalid(_("The window is 1 to 3,650 days."), code="window_out_of_range", field="window_days")
        try:
            definition, scope = rules.parse(self.definition), rfm_scope.parse(self.scope)
        except rules.BadDefinition as error:
            message = _MESSAGES[error.code]() % {"most": "", "scores": "", **error.detail}
            raise Invalid(message, code=error.code, field=error.field) from error
        currency = self.currency.strip().upper()
        scope_queries.check(currency=currency, scope=scope)
        return Content(
            name, self.window_days, currency, rfm_scope.dump(scope), rules.dump(definition), bool(self.nightly)
        )

    def as_stored(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "window_days": self.window_days,
            "currency": self.currency,
            "scope": dict(self.scope),
            "definition": dict(self.definition),
            "nightly": self.nightly,
        }


def ensure_everybody(actor: Actor) -> None:
    """A model is about all members: who sees only some of them may not look through it or change it.

    Raises `Forbidden` (`scope_too_narrow`).
    """
    if actor.scope != DataScope.ALL:
        raise Forbidden(_("This is about all members, and you see only some of them."), code="scope_too_narrow")


def ensure_default() -> RfmModel:
    """The model that pages show first; made when it is missing."""
    with atomic():
        found = RfmModel.objects.filter(is_default=True).first()
        if found is None:
            found = _insert(Content(_free_name(DEFAULT_NAME)).checked(), is_default=True)
    return found


def ensure_for_source(*, source_id: int, name: str) -> RfmModel:
    """The model of one source; made when it is missing.

    It is for an imported history: run on demand, not nightly, over a window of two years.
    """
    with atomic():
        found = RfmModel.objects.filter(scope={"sources": [source_id]}, archived_at=None).order_by("id").first()
        if found is None:
            content = Content(_free_name(name), 730, scope={"sources": [source_id]}, nightly=False)
            currency = next(row.currency for row in scope_queries.sources() if row.id == source_id)
            found = _insert(Content(**{**_plain(content.checked()), "currency": currency}))
    return found


def create(*, content: Content) -> RfmModel:
    """A new model. Raises `Invalid` as `Content.checked` does, and `Conflict` (`name_taken`, `too_many_models`)."""
    with atomic():
        checked = content.checked()
        _ensure_name_free(checked.name)
        if RfmModel.objects.filter(archived_at=None).count() >= MOST_MODELS:
            raise Conflict(
                _("There are %(count)s models already: archive one first.") % {"count": MOST_MODELS},
                code="too_many_models",
            )
        return _insert(checked)


def duplicate(*, model_id: int) -> RfmModel:
    """A copy under a name of its own, to be edited without touching the first."""
    with atomic():
        content = Content.of(_get(model_id))
        name = _free_name(_("%(name)s copy") % {"name": content.name[:50]})
        return create(content=Content(**{**_plain(content), "name": name, "nightly": False}))


def redefine(*, model_id: int, version: int, content: Content, note: str = "") -> RfmModel:
    """Make the next version of a model. Scores stay as they are until the next run.

    Raises `NotFound`, `Invalid` as `Content.checked` does, and `Conflict`: `stale_version` when somebody else changed
    the model since `version`, `run_in_progress`, `model_archived` or `name_taken`.
    """
    with atomic():
        model = _get(model_id, lock=True)
        if model.version != version:
            raise Conflict(
                _("Somebody else has changed this model meanwhile. Load the page again and repeat your change."),
                code="stale_version",
            )
        if model.archived_at is not None:
            raise Conflict(_("This model is archived: bring it back first."), code="model_archived")
        checked = content.checked()
        if RfmRun.objects.filter(model=model, state__in=[RunState.AGGREGATING, RunState.PUBLISHING]).exists():
            raise Conflict(_("RFM is being computed already. Wait until it has finished."), code="run_in_progress")
        if checked.name != model.name:
            _ensure_name_free(checked.name)
        model.version += 1
        for name, value in checked.as_stored().items():
            setattr(model, name, value)
        model.save()
        _keep(model, note)
    return model


def restore(*, model_id: int, version: int, from_version: int) -> RfmModel:
    """Make what `from_version` was the next version. Raises as `redefine` does, and `NotFound` (`no_such_version`)."""
    with atomic():
        found = RfmModelVersion.objects.filter(model_id=model_id, version=from_version).first()
        if found is None:
            raise NotFound(_("There is no such version."), code="no_such_version")
        note = _("Version %(version)s restored") % {"version": from_version}
        return redefine(model_id=model_id, version=version, content=Content(**found.content), note=note)


def archive(*, model_id: int, now: datetime) -> RfmModel:
    """Out of sight and of the nightly runs; scores and history stay. The default model cannot be archived."""
    with atomic():
        model = _get(model_id, lock=True)
        if model.is_default:
            raise Conflict(_("The default model cannot be archived: make another one the default."), code="is_default")
        model.archived_at = model.archived_at or now
        model.save()
    return model


def bring_back(*, model_id: int) -> RfmModel:
    """Undo an archiving."""
    with atomic():
        model = _get(model_id, lock=True)
        model.archived_at = None
        model.save()
    return model


def make_default(*, model_id: int, now: datetime) -> RfmModel:
    """What pages, segments and tags mean when they name no model."""
    with atomic():
        model = _get(model_id, lock=True)
        if model.archived_at is not None:
            raise Conflict(_("This model is archived: bring it back first."), code="model_archived")
        RfmModel.objects.filter(Q(is_default=True) & ~Q(pk=model.pk)).update(is_default=False)
        if not model.is_default:
            model.is_default = True
            model.save()
            # Conditions that name no model now mean this one.
            watches.reconsider(topics={"rfm"}, now=now)
    return model


def _get(model_id: int, *, lock: bool = False) -> RfmModel:
    rows = RfmModel.objects.select_for_update() if lock else RfmModel.objects.all()
    model = rows.filter(pk=model_id).first()
    if model is None:
        raise NotFound(_("There is no such RFM model."), code="no_such_model")
    return model


def _insert(content: Content, *, is_default: bool = False) -> RfmModel:
    model = RfmModel.objects.create(is_default=is_default, **content.as_stored())
    _keep(model, "")
    return model


def _keep(model: RfmModel, note: str) -> None:
    RfmModelVersion.objects.create(
        model=model,
        version=model.version,
        content=Content.of(model).as_stored(),
        note=note[:200],
        actor=current_actor().ref,
    )


def _plain(content: Content) -> dict[str, Any]:
    return content.as_stored()


def _ensure_name_free(name: str) -> None:
    if RfmModel.objects.filter(name=name).exists():
        raise Conflict(_("Another model has this name."), code="name_taken", field="name")


def _free_name(name: str) -> str:
    """The name, or the name with the first free number."""
    taken = set(RfmModel.objects.filter(name__startswith=name).values_list("name", flat=True))
    number = 1
    found = name
    while found in taken:
        number += 1
        found = f"{name} {number}"
    return found


_MESSAGES: dict[str, Callable[[], str]] = {
    "unknown_mode": lambda: _("This way of cutting is not known."),
    "four_values_needed": lambda: _("Four cut points are needed."),
    "not_ascending": lambda: _("Cut points have to rise."),
    "value_needed": lambda: _("A value is needed."),
    "layers_incomplete": lambda: _("No layer takes the scores %(scores)s: widen one, or end with one for all others."),
    "layers_expected": lambda: _("Layers are a list of at most %(most)s."),
    "layer_twice": lambda: _("Two layers have the same key."),
    "layer_unreachable": lambda: _("Nobody can get into this layer: the ones above it take all of its scores."),
    "classes_expected": lambda: _("Classes are named by their keys."),
    "unknown_class": lambda: _("There is no such class."),
    "bad_key": lambda: _("A key is a to z, digits and _, starts with a letter, and has at most 20 characters."),
    "bad_name": lambda: _("A name has at most 40 characters."),
    "name_needed": lambda: _("A layer of your own needs a name."),
    "score_range": lambda: _("Scores go from 1 to 5, the lower one first."),
    "unknown_tone": lambda: _("There is no such colour."),
    "bad_scope": lambda: _("This does not say which orders count."),
    "too_many": lambda: _("At most %(most)s can be named."),
}
