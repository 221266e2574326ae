"""The stock Django admin, for superusers: looking things up when the console cannot."""

from __future__ import annotations

from django.contrib import admin

from members.models import Member, Region, Source, Staff, Store


@admin.register(Member)
class MemberAdmin(admin.ModelAdmin):
    list_display = ["name", "phone_masked", "city", "store", "owner", "orders", "net", "last_order", "joined_at"]
    list_select_related = ["store", "owner", "summary"]
    list_filter = ["gender", "city", "store"]
    list_per_page = 50
    search_fields = ["name"]
    ordering = ["-joined_at", "-id"]
    raw_id_fields = ["merged_into"]

    @admin.display(ordering="summary__order_count")
    def orders(self, member: Member) -> int:
        return member.summary.order_count

    @admin.display(ordering="summary__net_amount")
    def net(self, member: Member) -> int:
        return member.summary.net_amount

    @admin.display(ordering="summary__last_order_at")
    def last_order(self, member: Member) -> object:
        return member.summary.last_order_at


admin.site.register([Region, Source, Staff, Store])
