"""Lists of the API: filtered by the same FilterSets as the pages, a page at a time by cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from scrm.api.views import ApiView
from scrm.common.errors import Invalid
from scrm.common.pagination import Page, paginate


class KeysetListView(ApiView):
    """`GET` answers `{"items": […], "next_cursor": …}`; `cursor` and `size` are read from the query.

    A subclass gives `get_queryset` (limited to what `self.actor` may see), `serializer_class`, `order` (see
    `scrm.common.pagination`) and, if it filters, `filterset_class`; or overrides `page`.
    """

    serializer_class: ClassVar[type[BaseSerializer]]
    filterset_class: ClassVar[type[django_filters.FilterSet] | None] = None
    order: ClassVar[Sequence[tuple[str, bool]]] = (("pk", True),)
    page_size: ClassVar[int] = 50
    largest_page: ClassVar[int] = 200

    def get_queryset(self) -> QuerySet[Any]:
        """The rows that the caller may see, before filters."""
        raise NotImplementedError

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.page(cursor=request.query_params.get("cursor") or None, size=self.size())
        items = self.serializer_class(list(page.rows), many=True, context={"request": request, "view": self})
        return Response({"items": items.data, "next_cursor": page.next_cursor})

    def page(self, *, cursor: str | None, size: int) -> Page[Any]:
        """The rows asked for."""
        return paginate(self.filtered(self.get_queryset()), order=self.order, cursor=cursor, size=size)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that the query's filters leave. Raises `ValidationError` for a value that is none."""
        if self.filterset_class is None:
            return queryset
        filterset = self.filterset_class(self.request.query_params, queryset=queryset, request=self.request._request)
        if not filterset.is_valid():
            raise ValidationError({field: list(errors) for field, errors in filterset.errors.items()})
        left: QuerySet[Any] = filterset.qs
        return left

    def size(self) -> int:
        """How many rows: `size`, 1 to `largest_page`. Raises `Invalid` (code `bad_size`)."""
        text = self.request.query_params.get("size", "")
        if not text:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= self.largest_page):
            raise Invalid(_("A page holds 1 to %d rows.") % self.largest_page, code="bad_size", field="size")
        return int(text)
