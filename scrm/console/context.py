"""What every page of the console knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def console(request: HttpRequest) -> dict[str, Any]:
    return {"actor": getattr(request, "actor", None), "brand_name": settings.BRAND_NAME}
