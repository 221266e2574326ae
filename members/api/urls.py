"""API routes of members."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from members.api import attributes, checkins, consents, facts, members, tasks

urlpatterns: list[URLPattern | URLResolver] = [
    # Facts come in.
    path("events/batch", facts.EventBatchView.as_view(), name="api_event_batch"),
    path("orders/batch", facts.OrderBatchView.as_view(), name="api_order_batch"),
    path("refunds/batch", facts.RefundBatchView.as_view(), name="api_refund_batch"),
    path("members/batch", facts.MemberBatchView.as_view(), name="api_member_batch"),
    path("consents/batch", consents.ConsentBatchView.as_view(), name="api_consent_batch"),
    # Members are read and changed.
    path("members", members.MemberListView.as_view(), name="api_member_list"),
    path("members/<int:member_id>", members.MemberDetailView.as_view(), name="api_member_detail"),
    path("members/<int:member_id>/timeline", members.MemberTimelineView.as_view(), name="api_member_timeline"),
    path("members/<int:member_id>/orders", members.MemberOrdersView.as_view(), name="api_member_orders"),
    # The brand's own fields of a profile.
    path("attributes", attributes.AttributeListView.as_view(), name="api_attribute_list"),
    path("attributes/<int:attribute_id>", attributes.AttributeView.as_view(), name="api_attribute"),
    # Tasks and check-in.
    path("tasks", tasks.TaskListView.as_view(), name="api_task_list"),
    path("tasks/preview", tasks.TaskPreviewView.as_view(), name="api_task_preview"),
    path("tasks/<int:task_id>", tasks.TaskView.as_view(), name="api_task"),
    path("tasks/<int:task_id>/state", tasks.TaskStateView.as_view(), name="api_task_state"),
    path("tasks/<int:task_id>/funnel", tasks.TaskFunnelView.as_view(), name="api_task_funnel"),
    path("members/<int:member_id>/tasks", tasks.MemberTasksView.as_view(), name="api_member_tasks"),
    path("members/<int:member_id>/tasks/<int:task_id>", tasks.MemberTaskView.as_view(), name="api_member_task"),
    path(
        "members/<int:member_id>/tasks/<int:task_id>/claim",
        tasks.MemberTaskClaimView.as_view(),
        name="api_member_task_claim",
    ),
    path("checkin-calendars", checkins.CalendarListView.as_view(), name="api_checkin_calendar_list"),
    path("checkin-calendars/<int:calendar_id>", checkins.CalendarView.as_view(), name="api_checkin_calendar"),
    path("members/<int:member_id>/checkins", checkins.MemberCheckInsView.as_view(), name="api_member_checkins"),
    path("members/<int:member_id>/checkins/makeup", checkins.MemberMakeUpView.as_view(), name="api_member_makeup"),
]
