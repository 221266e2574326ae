"""One member: the 360° page, its timeline and orders, editing and revealing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from members.enums import Channel, ConsentState, Purpose
from members.models import Member
from members.operations import consents as consent_acts
from members.operations import member_links
from members.operations import profiles as profile_acts
from members.queries import attributes, consents, directory, profiles, timeline
from members.web.forms import ProfileForm
from members.web.timeline import present
from scrm.common import clock, panels
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import Conflict, DomainError, NotFound
from scrm.common.forms import refuse

TABS = [
    ("timeline", gettext_lazy("Timeline")),
    ("orders", gettext_lazy("Orders")),
    ("consent", gettext_lazy("Consent")),
]
KINDS = [
    ("", gettext_lazy("Everything")),
    ("purchases", gettext_lazy("Purchases")),
    ("behaviour", gettext_lazy("Behaviour")),
    ("messages", gettext_lazy("Messages")),
    ("changes", gettext_lazy("Tags and stages")),
    ("points", gettext_lazy("Points")),
]
# How long a link to the member's own pages may last, to choose from; the first is offered.
LINK_DAYS = (30, 7, 90, 365)
# The fields of the form that the operation calls by other names.
_FORM_FIELDS = {"store_id": "store", "owner_id": "owner"}


@page(allow=Permission.MEMBERS_VIEW)
def member_detail(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """Everything about one member; `?tab=` chooses what fills the middle, `?kind=` narrows the timeline."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    wanted = request.GET.get("tab", "")
    tab = wanted if wanted in dict(TABS) else "timeline"
    cursor = request.GET.get("cursor") or None
    context: dict[str, Any] = {"member": member, "tab": tab}
    if tab == "timeline":
        context |= _timeline(request, member, cursor)
    elif tab == "orders":
        found = profiles.orders(member_id=member.pk, cursor=cursor)
        context |= {"orders": found.rows, "next_cursor": found.next_cursor}
        if not cursor:
            context["loose_refunds"] = profiles.unassigned_refunds(member.pk)
    if request.htmx and cursor:
        template = {"timeline": "members/timeline_items.html", "orders": "members/order_items.html"}.get(tab)
        if template:
            return render(request, template, context)
    return render(request, "members/member_detail.html", context | _profile(request, member, tab))


def _timeline(request: ConsoleRequest, member: Member, cursor: str | None) -> dict[str, Any]:
    kind = request.GET.get("kind", "")
    found = timeline.of_member(
        member.pk, kind=kind, cursor=cursor, with_points=request.actor.may(Permission.LOYALTY_VIEW)
    )
    return {
        "items": [present(entry) for entry in found.entries],
        "next_cursor": found.next_cursor,
        "kinds": [
            {"label": label, "href": f"?tab=timeline&kind={key}" if key else "?tab=timeline", "active": key == kind}
            for key, label in KINDS
        ],
        "kind": kind,
    }


def _profile(request: ConsoleRequest, member: Member, tab: str) -> dict[str, Any]:
    summary = profiles.summary_of(member)
    directory.decorate([member])
    shown: dict[str, Any] = member.shown  # type: ignore[attr-defined]
    return {
        "attributes": attributes.shown(member.attributes),
        "summary": summary,
        "average": summary.net_amount // summary.order_count if summary.order_count else None,
        "age": _age(member),
        "badges": [*(shown.get("tier") or ()), *(shown.get("stage") or ()), *(shown.get("rfm") or ())],
        "identities": profiles.known_as(member.pk),
        "consents": _consent_rows(member.pk),
        "consent_history": consents.history(member.pk) if tab == "consent" else [],
        "channel_names": dict(Channel.choices),
        "purpose_names": dict(Purpose.choices),
        "state_names": dict(ConsentState.choices),
        "panels": panels.render("member", request, member.pk),
        "tabs": [{"label": label, "href": f"?tab={key}", "active": key == tab} for key, label in TABS],
        "may_edit": request.actor.may(Permission.MEMBERS_EDIT),
        "link_days": LINK_DAYS,
        "may_reveal": request.actor.may(Permission.MEMBERS_REVEAL),
        "audit_url": _audit_address(member) if request.actor.may(Permission.AUDIT_VIEW) else None,
    }


def _consent_rows(member_id: int) -> list[dict[str, Any]]:
    """One row per channel, its answers in the order of the purposes."""
    rows: dict[str, dict[str, Any]] = {}
    for answer in consents.of_member(member_id):
        row = rows.setdefault(
            answer.channel, {"channel": answer.channel, "label": Channel(answer.channel).label, "answers": []}
        )
        row["answers"].append(answer)
    return list(rows.values())


def _age(member: Member) -> int | None:
    if member.birth_on is None:
        return None
    today = clock.shop_date(clock.now())
    before_birthday = (today.month, today.day) < (member.birth_on.month, member.birth_on.day)
    return today.year - member.birth_on.year - before_birthday


def _audit_address(member: Member) -> str | None:
    try:
        return f"{reverse('audit_list')}?object_type=members_member&object_id={member.pk}"
    except NoReverseMatch:
        return None


@require_POST
@never_cache
@page(allow=Permission.MEMBERS_REVEAL)
def member_reveal(request: ConsoleRequest, member_id: int, identity_id: int) -> HttpResponse:
    """The full value of one identity, shown once; the look is on the audit log."""
    context: dict[str, Any] = {"identity_id": identity_id, "member_id": member_id}
    try:
        context["value"] = profile_acts.reveal(
            actor=request.actor,
            member_id=member_id,
            identity_id=identity_id,
            reason=request.POST.get("reason", ""),
        )
    except NotFound:
        raise
    except DomainError as error:
        context["problem"] = str(error)
    return render(request, "members/revealed.html", context)


@require_POST
@never_cache
@page(allow=Permission.MEMBERS_EDIT)
def member_link(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """The address of the member's own pages, shown once; that it was made is on the audit log."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    days = request.POST.get("days", "")
    context: dict[str, Any] = {"member": member, "link_days": LINK_DAYS}
    try:
        token, context["ends"] = member_links.issue(
            member_id=member.pk, days=int(days) if days.isdecimal() else 0, now=clock.now()
        )
    except DomainError as error:
        context["problem"] = str(error)
    else:
        context["address"] = request.build_absolute_uri(reverse("my_card", args=[token]))
    return render(request, "members/member_link.html", context)


@page(allow=Permission.MEMBERS_EDIT)
def member_edit(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """The profile form; a conflict shows the values that stand now beside what was typed."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    form = ProfileForm(request.POST or None, member=member)
    conflict = None
    if request.method == "POST" and form.is_valid():
        try:
            profile_acts.edit(
                actor=request.actor,
                member_id=member_id,
                changes=form.changes(),
                seen_at=form.cleaned_data["seen_at"],
                now=clock.now(),
            )
        except Conflict as error:
            conflict = str(error)
            # Saving again then means: over the values that are shown.
            data = request.POST.copy()
            data["seen_at"] = member.updated_at.isoformat()
            form.data = data
        except DomainError as error:
            refuse(form, error, names=_FORM_FIELDS)
        else:
            messages.success(request, _("Saved."))
            return redirect("member_detail", member_id)
    return render(
        request,
        "members/member_edit.html",
        {"member": member, "form": form, "conflict": conflict},
        status=409 if conflict else 422 if form.errors else 200,
    )


@require_POST
@page(allow=Permission.MEMBERS_EDIT)
def member_consent(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """Record what the member said about one channel and purpose."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    now = clock.now()
    try:
        consent_acts.record(
            entries=[
                consent_acts.Entry(
                    member_id=member.pk,
                    channel=request.POST.get("channel", ""),
                    purpose=request.POST.get("purpose", ""),
                    state=request.POST.get("state", ""),
                    at=now,
                    source="console",
                    evidence=request.POST.get("evidence", "").strip().replace("\0", "")[:200]
                    or f"{request.actor.name} ({request.actor.ref})",
                )
            ],
            now=now,
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The answer is recorded."))
    return redirect(f"{reverse('member_detail', args=[member_id])}?tab=consent")
