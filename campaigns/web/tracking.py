"""What the links in messages lead to. Open to anybody: a signed token in the address says which message it is."""

from __future__ import annotations

import base64

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from campaigns.enums import ChannelKind
from campaigns.operations import tracking
from campaigns.queries import tracking as links
from scrm.common import clock
from scrm.common.access import page

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@require_safe
@page(allow=None)
def track_open(request: HttpRequest, token: str) -> HttpResponseBase:
    """A transparent pixel, whatever the token: nobody learns from it which messages exist."""
    if request.method == "GET":
        tracking.open_message(token=token, now=clock.now())
    response = HttpResponse(_PIXEL, content_type="image/gif")
    add_never_cache_headers(response)
    return response


@require_safe
@page(allow=None)
def track_click(request: HttpRequest, token: str) -> HttpResponseBase:
    """On to one of the campaign's own links. A mail scanner's HEAD finds the way but is no click."""
    url = links.destination(token=token) if request.method == "HEAD" else tracking.click(token=token, now=clock.now())
    if url is None:
        raise Http404
    response = HttpResponse(status=302, headers={"Location": url, "Referrer-Policy": "no-referrer"})
    add_never_cache_headers(response)
    return response


@csrf_exempt  # RFC 8058: the mail program posts without ever having loaded a page; the token is the proof
@require_http_methods(["GET", "HEAD", "POST"])
@page(allow=None)
def unsubscribe(request: HttpRequest, token: str) -> HttpResponseBase:
    """Ask first (scanners follow links), then withdraw the consent."""
    if request.method == "POST":
        channel = tracking.unsubscribe(token=token, now=clock.now())
    else:
        channel = links.channel_of(token=token)
    if channel is None:
        raise Http404
    context = {"done": request.method == "POST", "channel": ChannelKind(channel).label}
    response = render(request, "campaigns/unsubscribe.html", context)
    add_never_cache_headers(response)
    return response
