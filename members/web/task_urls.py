"""Pages of tasks and check-ins."""

from __future__ import annotations

from django.urls import path

from members.web import checkins, tasks

urlpatterns = [
    path("tasks/", tasks.task_list, name="task_list"),
    path("tasks/map/", tasks.task_map, name="task_map"),
    path("tasks/new/", tasks.task_new, name="task_new"),
    path("tasks/preview/", tasks.task_preview, name="task_preview"),
    path("tasks/count/", tasks.task_count, name="task_count"),
    path("tasks/checkins/", checkins.checkin_list, name="checkin_list"),
    path("tasks/checkins/new/", checkins.checkin_edit, name="checkin_new"),
    path("tasks/checkins/<int:calendar_id>/", checkins.checkin_edit, name="checkin_edit"),
    path("tasks/<int:task_id>/", tasks.task_detail, name="task_detail"),
    path("tasks/<int:task_id>/edit/", tasks.task_edit, name="task_edit"),
    path("tasks/<int:task_id>/<slug:act>/", tasks.task_act, name="task_act"),
    path("members/<int:member_id>/tasks/<int:task_id>/", tasks.member_task, name="member_task"),
]
