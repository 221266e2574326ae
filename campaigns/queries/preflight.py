"""Before the start: who would get a campaign, and who would be cut by what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from campaigns.queries import contents, touches
from campaigns.queries.campaigns import audience_sql
from campaigns.rules import quiet
from members.queries import consents
from scrm.common import clock
from scrm.common.errors import DomainError


@dataclass(frozen=True, slots=True)
class Forecast:
    """Members of the audience, each counted once: by the first thing that would cut them, or as sent to."""

    audience: int
    control: int
    no_consent: int
    no_address: int
    capped: int

    @property
    def sent(self) -> int:
        return self.audience - self.control - self.no_consent - self.no_address - self.capped


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist. `level`: "ok", "warning" or "error"; an error forbids the start."""

    level: str
    text: str


def forecast(campaign: Campaign, *, now: datetime) -> Forecast:
    """Exact for this instant: the same control group, consent, address and cap as the claim reads."""
    audience, audience_params = audience_sql(campaign, as_of=now)
    consent, consent_params = consents.allowed_sql(campaign.channel)
    address, address_params = consents.address_sql(campaign.channel)
    touched = """(SELECT count(*) FROM campaigns_message t
                  WHERE t.member_id = m.id AND t.handed_at >= %s) >= %s"""
    params: list[Any] = [
        campaign.pk,
        campaign.control_percent * 100,
        *consent_params,
        *address_params,
        touches.window_start(now, campaign.cap_days),
        campaign.cap_touches if campaign.respects_cap else 2**31 - 1,
        *audience_params,
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), count(*) FILTER (WHERE cut = 1), count(*) FILTER (WHERE cut = 2),
                   count(*) FILTER (WHERE cut = 3), count(*) FILTER (WHERE cut = 4)
            FROM (
                SELECT CASE
                    WHEN (hashint8extended(m.id, %s) & 9223372036854775807) %% 10000 < %s THEN 1
                    WHEN NOT ({consent}) THEN 2
                    WHEN NOT ({address}) THEN 3
                    WHEN {touched} THEN 4
                    ELSE 0 END AS cut
                FROM members_member m WHERE m.id IN (SELECT id FROM ({audience}) audience (id))
            ) members
            """,  # compiled from the segment's condition
            params,
        )
        return Forecast(*cursor.fetchone())


def checklist(campaign: Campaign, found: Forecast, *, now: datetime) -> list[Check]:
    """What to look at before the start, errors first."""
    checks = [*_content_checks(campaign)]
    if not campaign.account.is_active:
        checks.append(Check("error", _("The account is switched off.")))
    if not found.audience:
        checks.append(Check("error", _("Nobody is in the audience.")))
    elif not found.sent:
        checks.append(Check("error", _("Nobody of the audience can be reached.")))
    elif found.no_consent > found.sent:
        checks.append(Check("warning", _("More members have no consent than would get the message.")))
    starts = max(campaign.scheduled_at or now, now)
    until = quiet.released_at(starts, starts=campaign.quiet_from, ends=campaign.quiet_until, zone=clock.shop_zone())
    if until is not None:
        checks.append(Check("warning", _("The start falls into the quiet hours.")))
    if not campaign.respects_cap:
        checks.append(Check("warning", _("The frequency cap is switched off.")))
    if not campaign.control_percent:
        checks.append(Check("warning", _("Without a control group the effect cannot be told from chance.")))
    order = {"error": 0, "warning": 1, "ok": 2}
    return sorted(checks, key=lambda check: order[check.level])


def _content_checks(campaign: Campaign) -> list[Check]:
    if not campaign.body.strip():
        return [Check("error", _("The message has no text."))]
    if contents.needs_html(campaign.channel) and not campaign.subject.strip():
        return [Check("error", _("An e-mail needs a subject."))]
    try:
        content = contents.parse(subject=campaign.subject, body=campaign.body)
    except DomainError as error:
        return [Check("error", str(error))]
    checks = [Check("ok", _("The message can be filled in for every member."))]
    if contents.needs_html(campaign.channel) or "unsubscribe_url" in content.fields:
        checks.append(Check("ok", _("The message has a way to unsubscribe.")))
    else:
        checks.append(Check("warning", _("The message has no unsubscribe link.")))
    return checks
