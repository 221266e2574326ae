"""The whole beat clock on one screen. Every tick is idempotent: a missed or doubled one changes nothing."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "beat-alive": {"task": "scrm.common.tasks.beat_alive", "schedule": 10.0},
    "resume-jobs": {"task": "scrm.common.tasks.resume_jobs", "schedule": 15.0},
    "purge-idempotency": {"task": "scrm.common.tasks.purge_idempotency", "schedule": 3600.0},
    # Late ones are dropped: after a long build one is enough.
    "fold-bitmaps": {"task": "scrm.common.tasks.fold_bitmaps", "schedule": 2.0, "options": {"expires": 10}},
    "start-due-campaigns": {"task": "campaigns.tasks.start_due", "schedule": 5.0},
    "sweep-campaign-chunks": {"task": "campaigns.tasks.sweep", "schedule": 5.0},
    # A tick that found its work done by the one before costs one look into an index.
    "sweep-watches": {"task": "tags.tasks.sweep_watches", "schedule": 1.0},
    # Lots become available or expire, holds time out; balances are right at read time without it.
    "book-due-points": {"task": "members.tasks.book_due_points", "schedule": 2.0, "options": {"expires": 10}},
    # 05:30 in Shanghai.
    "nightly-points-liability": {
        "task": "members.tasks.run_nightly_points_liability",
        "schedule": crontab(hour="21", minute="30"),
    },
    # 09:00 in Shanghai, when people are awake for what a journey may send.
    "warn-of-expiring-points": {
        "task": "members.tasks.warn_of_expiring_points",
        "schedule": crontab(hour="1", minute="0"),
    },
    # Tiers end, are kept or lost, notices go out; paid memberships end.
    "sweep-tiers": {"task": "members.tasks.sweep_tiers", "schedule": 5.0, "options": {"expires": 15}},
    # Of tasks that many have begun; the others are counted when somebody looks.
    "count-task-funnels": {"task": "members.tasks.count_task_funnels", "schedule": crontab(minute="40")},
    "lapse-claims": {"task": "members.tasks.lapse_claims", "schedule": 10.0, "options": {"expires": 30}},
    "low-benefit-stock": {"task": "members.tasks.tell_of_low_stock", "schedule": 60.0, "options": {"expires": 60}},
    # Soon after each hour: the first tick of a shop day gives almost all of them.
    "birthday-gifts": {"task": "members.tasks.give_birthday_gifts", "schedule": crontab(minute="2")},
    # Deliveries of codes give them; this is for members who were busy then.
    "owed-benefits": {"task": "members.tasks.give_owed_benefits", "schedule": crontab(minute="32")},
    "lapse-tags": {"task": "tags.tasks.lapse_tags", "schedule": 30.0},
    # Ten minutes to the hour, so that the last count of a shop day is close to its end.
    "count-tags": {"task": "tags.tasks.count_tags", "schedule": crontab(minute="50")},
    "refresh-dashboard": {"task": "analytics.tasks.refresh_dashboard", "schedule": 60.0},
    # 02:30 and 03:30 in Shanghai, when shops sleep.
    "nightly-rfm": {"task": "analytics.tasks.run_nightly_rfm", "schedule": crontab(hour="18", minute="30")},
    "nightly-lifecycle": {
        "task": "analytics.tasks.run_nightly_lifecycle",
        "schedule": crontab(hour="19", minute="30"),
    },
    # 04:00 in Shanghai.
    "nightly-model-tags": {
        "task": "analytics.tasks.run_nightly_model_tags",
        "schedule": crontab(hour="20", minute="0"),
    },
    # 00:10 in Shanghai, when the day of tiers and of rolling windows has changed.
    "nightly-tiers": {"task": "members.tasks.run_nightly_tiers", "schedule": crontab(hour="16", minute="10")},
    # 04:30 in Shanghai, after the scores that segments hang on.
    "nightly-segment-sizes": {
        "task": "tags.tasks.run_nightly_segment_sizes",
        "schedule": crontab(hour="20", minute="30"),
    },
    # 05:00 in Shanghai.
    "nightly-watches": {"task": "tags.tasks.run_nightly_watches", "schedule": crontab(hour="21", minute="0")},
    "old-import-files": {"task": "members.tasks.remove_old_import_files", "schedule": crontab(hour="20", minute="10")},
}
