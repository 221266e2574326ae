"""The rules of a ladder in plain language."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.operations.tier_schemes import Content

_PERIODS = {
    "month": lambda: _("calendar month"), "quarter": lambda: _("calendar quarter"),
    "half": lambda: _("half of a calendar year"), "year": lambda: _("calendar year"),
}  # fmt: skip


def settings_in_words(content: Content) -> list[str]:
    """What the settings mean, a sentence each."""
    period = _("year of membership") if content.window == "anniversary" else _PERIODS[content.period]()
    what = {
        "growth": _("growth"), "spend": _("what was paid, less refunds"), "orders": _("the number of paid orders"),
    }[content.basis]  # fmt: skip
    window = {
        "lifetime": _("of all time"),
        "calendar": _("of the current %(period)s"),
        "rolling": _("of the last %(months)s months"),
        "anniversary": _("of the current year of membership"),
    }[content.window] % {"period": period, "months": content.window_months}
    start = {
        "at_once": _("A tier begins the moment it is reached."),
        "next_period": _("A tier that was reached begins with the next %(period)s."),
    }[content.start] % {"period": period}
    lasts = {
        "forever": _("It lasts for good."),
        "period_end": _("It lasts until the end of the %(period)s."),
        "next_period_end": _("It lasts until the end of the %(period)s that follows."),
        "months": _("It lasts %(months)s months."),
    }[content.validity] % {"period": period, "months": content.validity_months}
    found = [_("Tiers are earned by %(what)s %(window)s.") % {"what": what, "window": window}, start]
    if content.validity == "forever":
        return [*found, lasts, _refund(content)]
    if content.extension_days:
        lasts += " " + ngettext(
            "One day is added.", "%(days)s days are added.", content.extension_days
        ) % {"days": content.extension_days}  # fmt: skip
    unkept = {
        "keep": _("Who has not reached what keeps it keeps it all the same."),
        "one": _("Who has not reached what keeps it goes one level down."),
        "earned": _("Who has not reached what keeps it goes down to the level earned."),
    }[content.downgrade]
    found += [lasts, unkept]
    if content.grace_days:
        found.append(
            ngettext(
                "One day of grace is given to reach it still.", "%(days)s days of grace are given to reach it still.",
                content.grace_days,
            )
            % {"days": content.grace_days}
        )  # fmt: skip
    if content.notice_days and content.downgrade != "keep":
        found.append(
            ngettext("Members are told a day before.", "Members are told %(days)s days before.", content.notice_days)
            % {"days": content.notice_days}
        )
    return [*found, _refund(content)]


def _refund(content: Content) -> str:
    if content.on_refund == "at_once":
        return _("A refund that takes away what a tier was earned by takes the tier at once, and its gifts.")
    return _("A refund leaves the tier until it expires.")
