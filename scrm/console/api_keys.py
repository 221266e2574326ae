"""API keys of other systems."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from scrm.common import api_keys, clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.models import ApiKey
from scrm.console.forms import ApiKeyForm


@page(allow=Permission.SETTINGS)
def api_key_list(request: ConsoleRequest) -> HttpResponse:
    """All keys; a new one is created here and shown this once."""
    form = ApiKeyForm(request.POST or None)
    secret = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            _, secret = api_keys.create(
                name=data["name"],
                scopes=data["scopes"],
                allowed_ips=[part.strip() for part in data["allowed_ips"].split(",") if part.strip()],
                expires_at=clock.day_end(data["expires_on"]) if data["expires_on"] else None,
                actor=request.actor,
            )
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            form = ApiKeyForm()
    keys = ApiKey.objects.select_related("created_by").order_by("revoked_at", "-id")
    status = 422 if form.is_bound else 200
    return render(request, "console/api_keys.html", {"keys": keys, "form": form, "secret": secret}, status=status)


@require_POST
@page(allow=Permission.SETTINGS)
def api_key_revoke(request: ConsoleRequest, key_id: int) -> HttpResponse:
    """A revoked key is refused from the next request on; it cannot be given back."""
    api_keys.revoke(key_id=key_id, now=clock.now())
    return redirect("api_key_list")
