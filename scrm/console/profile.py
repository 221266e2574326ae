"""One's own profile."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.transactions import atomic
from scrm.console.forms import ProfileForm


@page(allow=Permission.HOME)
def profile(request: ConsoleRequest) -> HttpResponse:
    """Name, language and zone; links to password and second factor."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        with atomic():
            form.save()
        messages.success(request, _("Profile saved"))
        response = redirect("profile")
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, form.cleaned_data["language"], samesite="Lax")
        return response
    return render(request, "console/profile.html", {"form": form}, status=422 if form.is_bound else 200)
