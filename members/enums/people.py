from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Gender(models.TextChoices):
    UNKNOWN = "", _("Unknown")
    FEMALE = "f", _("Female")
    MALE = "m", _("Male")


class MemberStatus(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("member status", "Active")
    MERGED = "merged", _("Merged into another member")
    ERASED = "erased", _("Erased")


class IdentityKind(models.TextChoices):
    PHONE = "phone", _("Phone")
    EMAIL = "email", _("E-mail")
    UNIONID = "unionid", _("WeChat UnionID")
    OPENID = "openid", _("WeChat OpenID")  # value is openid@app
    EXTERNAL_USERID = "external_userid", _("WeCom external contact")
    APP_USER = "app_user", _("App user")
    DEVICE = "device", _("Device")
    NUMBER = "number", _("Member number")  # value is number@source


# Sealed in storage and found by a blind index.
PERSONAL_KINDS = frozenset({IdentityKind.PHONE, IdentityKind.EMAIL})
# One of these alone proves that two records are one person.
STRONG_KINDS = frozenset({IdentityKind.PHONE, IdentityKind.UNIONID, IdentityKind.EXTERNAL_USERID})


class AttributeType(models.TextChoices):
    """What a custom attribute holds: text, a whole number, a date, yes or no, or one of a list."""

    TEXT = "text", pgettext_lazy("attribute", "Text")
    NUMBER = "number", pgettext_lazy("attribute", "Whole number")
    DATE = "date", pgettext_lazy("attribute", "Date")
    YES_NO = "yes_no", pgettext_lazy("attribute", "Yes or no")
    CHOICE = "choice", pgettext_lazy("attribute", "One of a list")
