"""Message templates and what the sandbox received."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as notes
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from campaigns.enums import ChannelKind
from campaigns.models import MessageTemplate
from campaigns.operations import templates as operations
from campaigns.queries import contents, messages, templates
from campaigns.web.composer import _preview
from campaigns.web.forms import TemplateForm
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse
from scrm.common.pagination import paginate


@require_safe
@page(allow=Permission.CAMPAIGNS_VIEW)
def template_list(request: ConsoleRequest) -> HttpResponse:
    """Every template, the latest changed first."""
    channel = request.GET.get("channel", "")
    rows = list(templates.list_all(channel=channel if channel in ChannelKind.values else "")[:500])
    tabs = [{"label": _("All"), "href": "?", "active": channel == "", "count": ""}] + [
        {"label": kind.label, "href": f"?channel={kind.value}", "active": channel == kind.value, "count": ""}
        for kind in ChannelKind
    ]
    return render(request, "campaigns/template_list.html", {"templates": rows, "tabs": tabs})


@page(allow=Permission.CAMPAIGNS_EDIT)
def template_new(request: ConsoleRequest) -> HttpResponse:
    """Write a new template."""
    form = TemplateForm(request.POST or None, initial={"channel": ChannelKind.SANDBOX})
    if request.method == "POST" and form.is_valid():
        try:
            operations.create(**form.cleaned_data, user_id=request.actor.id)
        except DomainError as error:
            refuse(form, error)
        else:
            notes.success(request, _("The template was saved."))
            return redirect("template_list")
    return _page(request, form, None)


@page(allow=Permission.CAMPAIGNS_EDIT)
def template_edit(request: ConsoleRequest, template_id: int) -> HttpResponse:
    """Change a template; campaigns made from it keep their words."""
    template = templates.get(template_id)
    initial = {"name": template.name, "channel": template.channel, "subject": template.subject, "body": template.body}
    form = TemplateForm({**request.POST.dict(), "channel": template.channel} if request.POST else None, initial=initial)
    form.fields["channel"].disabled = True
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        version = request.POST.get("version", "")
        try:
            operations.update(
                template_id=template_id,
                name=data["name"],
                subject=data["subject"],
                body=data["body"],
                version=int(version) if version.isdigit() else 0,
                now=clock.now(),
            )
        except DomainError as error:
            refuse(form, error)
        else:
            notes.success(request, _("The template was saved."))
            return redirect("template_list")
    return _page(request, form, template)


def _page(request: ConsoleRequest, form: TemplateForm, template: MessageTemplate | None) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "template": template,
        "version": request.POST.get("version") or (template.version if template else 0),
        "fields": contents.fields(),
        **_preview(request, form["subject"].value() or "", form["body"].value() or "", None),
    }
    return render(request, "campaigns/template_edit.html", context, status=422 if form.errors else 200)


@require_POST
@page(allow=Permission.CAMPAIGNS_EDIT)
def template_delete(request: ConsoleRequest, template_id: int) -> HttpResponse:
    """Remove a template that no campaign was made from."""
    try:
        operations.delete(template_id=template_id)
    except DomainError as error:
        notes.error(request, str(error.message))
    else:
        notes.success(request, _("The template was deleted."))
    return redirect("template_list")


@require_safe
@page(allow=Permission.CAMPAIGNS_VIEW)
def sandbox_inbox(request: ConsoleRequest) -> HttpResponse:
    """What the sandbox received, newest first: nothing in it went to anybody."""
    member = request.GET.get("member", "")
    rows = messages.sandbox(actor=request.actor, member_id=int(member[:18]) if member.isdigit() else None)
    found = paginate(rows, order=[("received_at", True), ("id", True)], cursor=request.GET.get("cursor"), size=20)
    chosen = next((row for row in found.rows if str(row.pk) == request.GET.get("message")), None)
    context = {"page": found, "chosen": chosen or (found.rows[0] if found.rows else None), "member": member}
    if request.htmx and "cursor" in request.GET:
        return render(request, "campaigns/sandbox_rows.html", context)
    return render(request, "campaigns/sandbox_inbox.html", context)
