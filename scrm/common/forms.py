"""What an operation refuses, said in the form that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from django.forms import BaseForm

from scrm.common.errors import DomainError

_SAME: Mapping[str, str] = MappingProxyType({})


def refuse(
    form: BaseForm,
    error: DomainError,
    *,
    names: Mapping[str, str] = _SAME,
    otherwise: str | None = None,
    message: str | None = None,
) -> None:
    """Show a refusal at the field it names, which the form may call something else (`names`).

    Where the form has no such field, it stands at `otherwise`, or over the form.
    """
    named = str(error.detail.get("field") or "")
    field = names.get(named, named)
    form.add_error(field if field in form.fields else otherwise, str(error) if message is None else message)


def saved(form: BaseForm, save: Callable[[], object]) -> bool:
    """Whether the operation was done; what it refuses is shown in the form."""
    try:
        save()
    except DomainError as error:
        refuse(form, error)
        return False
    return True
