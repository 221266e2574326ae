"""Forms of the import pages, and how the fields of a mapping are called there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.enums import ImportKind
from members.rules import mappings
from members.rules.mappings import EXTRA, FIELDS, Definition

FIELD_LABELS: dict[str, str | Promise] = {
    "phone": _("Phone"),
    "email": _("E-mail"),
    "member_number": _("Member number"),
    "unionid": _("WeChat UnionID"),
    "openid": _("WeChat OpenID"),
    "external_userid": _("WeCom external contact"),
    "app_user": _("App user"),
    "name": _("Member's name"),
    "country": _("Country"),
    "province": _("Province"),
    "city": _("City"),
    "gender": _("Gender"),
    "birth_on": _("Birthday"),
    "language": _("Language"),
    "store": _("Store code"),
    "owner": _("Staff number"),
    "joined_at": _("Joined at"),
    "number": _("Order number"),
    "ordered_at": _("Ordered at"),
    "paid_at": _("Paid at"),
    "state": _("Order state"),
    "amount": _("Amount"),
    "discount": _("Discount"),
    "sku": _("Product code"),
    "product_name": _("Product name"),
    "category": _("Category"),
    "quantity": _("Quantity"),
    "unit_price": _("Unit price"),
    "channel": _("Sales channel"),
    "version_at": _("Changed at"),
    "type": _("Event type"),
    "occurred_at": _("Happened at"),
    "message_id": _("Event id"),
}
EXTRA_LABELS = {ImportKind.MEMBERS: _("Keep as an attribute"), ImportKind.EVENTS: _("Keep as a property")}


def field_choices(kind: str) -> list[tuple[str, str | Promise]]:
    """What a column can become; required fields carry an asterisk."""
    found: list[tuple[str, str | Promise]] = [("", _("Leave out"))]
    for field in FIELDS[kind]:
        label = EXTRA_LABELS[ImportKind(kind)] if field.key == EXTRA else FIELD_LABELS[field.key]
        found.append((field.key, f"{label} *" if field.required else label))
    return found


class UploadForm(forms.Form):
    """The first step: what it is, and the file."""

    kind = forms.ChoiceField(
        choices=ImportKind.choices, initial=ImportKind.ORDERS, widget=forms.RadioSelect, label=_("What is in the file?")
    )
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.gz,.xlsx"}),
        help_text=_("CSV (UTF-8 or GB18030), gzipped CSV or XLSX, with the names of the columns in the first row."),
    )


class MappingForm(forms.Form):
    """The second step: a select per column, and how the cells are written."""

    source = forms.CharField(
        max_length=40,
        label=_("Source"),
        help_text=_("Which shop or system the file comes from. Order numbers are unique within a source."),
        widget=forms.TextInput(attrs={"list": "sources", "autocomplete": "off"}),
    )
    encoding = forms.ChoiceField(
        required=False,
        label=_("Encoding"),
        choices=[("", _("Find out")), ("utf-8", "UTF-8"), ("gb18030", "GB18030 / GBK")],
    )
    day_first = forms.ChoiceField(
        required=False,
        label=_("Dates that end with the year"),
        choices=[("", _("month/day/year")), ("yes", _("day/month/year"))],
    )
    currency = forms.RegexField(regex=r"^[A-Z]{3}$", initial="CNY", max_length=3, label=_("Currency"))
    refund_prefix = forms.CharField(
        required=False,
        max_length=8,
        label=_("Refund prefix"),
        help_text=_("Order numbers that start with this are refunds. Leave empty if there are none."),
    )
    rows_apart = forms.BooleanField(
        required=False,
        label=_("Take an order without its bad rows"),
        help_text=_("Otherwise an order with a bad row is refused as a whole."),
    )
    save_as = forms.CharField(
        required=False,
        max_length=60,
        label=_("Save this mapping as"),
        help_text=_("Files with the same columns will use it by themselves."),
    )

    def __init__(self, *args: Any, kind: str, header: Sequence[str], columns: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.header = header
        if kind != ImportKind.ORDERS:
            for name in ("currency", "refund_prefix", "rows_apart"):
                del self.fields[name]
        choices = field_choices(kind)
        for index, column in enumerate(header):
            self.fields[f"column-{index}"] = forms.ChoiceField(
                required=False, choices=choices, initial=columns.get(column, ""), label=column
            )

    @classmethod
    def for_mapping(cls, mapping: mappings.NamedMapping, header: Sequence[str]) -> MappingForm:
        """The form filled from a mapping."""
        definition = mapping.definition
        return cls(
            kind=mapping.kind,
            header=header,
            columns=definition.columns,
            initial={
                "source": mapping.source_key,
                "encoding": definition.encoding,
                "day_first": "yes" if definition.day_first else "",
                "currency": definition.currency,
                "refund_prefix": definition.refund_prefix,
                "rows_apart": definition.rows_apart,
            },
        )

    def column_fields(self) -> list[forms.BoundField]:
        """The select of each column, in the file's order."""
        return [self[f"column-{index}"] for index in range(len(self.header))]

    def option_fields(self) -> list[forms.BoundField]:
        """Everything else."""
        return [self[name] for name in self.fields if not name.startswith("column-")]

    def definition(self) -> Definition:
        """The mapping that was entered. Only after `is_valid()`."""
        data = self.cleaned_data
        return Definition(
            columns={
                column: data[f"column-{index}"]
                for index, column in enumerate(self.header)
                if column and data[f"column-{index}"]
            },
            encoding=data["encoding"],
            day_first=data["day_first"] == "yes",
            currency=data.get("currency", "CNY"),
            refund_prefix=data.get("refund_prefix", ""),
            rows_apart=data.get("rows_apart", False),
        )
