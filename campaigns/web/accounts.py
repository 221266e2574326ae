"""Channel accounts: what campaigns send with."""

from __future__ import annotations

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.channels import channel
from campaigns.operations import accounts as operations
from campaigns.queries import accounts
from campaigns.web.forms import AccountForm
from scrm.common.access import Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse

_MAIL_FIELDS = ("host", "port", "security", "username", "sender_address", "sender_name")


@page(allow=Permission.SETTINGS)
def account_list(request: HttpRequest) -> HttpResponse:
    """Every account; a new one is made here."""
    return _page(request, None)


@page(allow=Permission.SETTINGS)
def account_edit(request: HttpRequest, account_id: int) -> HttpResponse:
    """Change an account."""
    return _page(request, account_id)


def _page(request: HttpRequest, account_id: int | None) -> HttpResponse:
    account = accounts.get(account_id) if account_id else None
    initial = (
        {"name": account.name, "channel": account.channel, "is_active": account.is_active, **account.settings}
        if account
        else {"channel": "email", "port": 587, "security": "starttls", "is_active": True}
    )
    form = AccountForm(request.POST or None, initial=initial)
    if account:
        form.fields["channel"].disabled = True
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            operations.save(
                account_id=account_id,
                name=data["name"],
                channel=data["channel"],
                values={name: data[name] for name in _MAIL_FIELDS},
                password=data["password"] or None,
                is_active=data["is_active"],
            )
        except DomainError as error:
            refuse(form, error)
        else:
            notes.success(request, _("The account was saved."))
            return redirect("account_list")
    context = {"form": form, "account": account, "accounts": accounts.list_all()}
    return render(request, "campaigns/account_list.html", context, status=422 if form.errors else 200)


@require_POST
@page(allow=Permission.SETTINGS)
def account_check(request: HttpRequest, account_id: int) -> HttpResponse:
    """Try to reach the provider, without sending anything."""
    account = accounts.get(account_id)
    problem = channel(account.channel).check(accounts.opened(account))
    if problem:
        notes.error(request, _("The provider cannot be reached: %(problem)s") % {"problem": problem})
    else:
        notes.success(request, _("The provider answers."))
    return redirect("account_list")
