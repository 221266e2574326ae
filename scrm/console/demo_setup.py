"""What makes the demo brand more than rows: logins, tags, scores, segments, a campaign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from analytics.operations import lifecycle, model_tags, rfm, rfm_models
from campaigns.operations import campaigns, templates
from campaigns.queries import accounts
from members.operations import benefit_demo, earning_demo, points_demo, task_demo, tier_demo
from scrm.common import clock
from scrm.common.access import SYSTEM, DataScope, Role
from scrm.common.models import User
from scrm.common.transactions import atomic
from tags.enums import RuleForm
from tags.operations import automatic, catalogue, segments, statistics, watches
from tags.operations import demo as tag_demo

# (user name, name shown, role, scope)
USERS = [
    ("demo", "演示管理员", Role.ADMIN, DataScope.ALL),
    ("operator", "运营小禾", Role.OPERATOR, DataScope.ALL),
    ("auditor", "审计员", Role.AUDITOR, DataScope.ALL),
]


# What the demo brand watches: (name, condition).
SEGMENTS: list[tuple[str, dict[str, Any]]] = [
    (
        "重要挽留客户",
        {"all": [{"field": "rfm.class", "op": "in", "value": ["important_win_back"]}]},
    ),
    (
        "近 30 天新客未复购",
        {
            "all": [
                {"field": "order.count", "op": "eq", "value": 1},
                {"field": "order.first_at", "op": "in_last", "value": {"n": 30, "unit": "day"}},
            ]
        },
    ),
    (
        "上海深圳高客单",
        {
            "all": [
                {"field": "city", "op": "in", "value": ["上海", "深圳"]},
                {"field": "order.average", "op": "ge", "value": "300"},
            ]
        },
    ),
]
# Tags that put themselves on: (name, form, definition, what it means).
RULES: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "茶饮兴趣",
        RuleForm.INTEREST,
        {
            "types": ["page.viewed", "product.favorited", "cart.added"],
            "property": "title",
            "keywords": ["乌龙", "普洱", "茶包", "花茶"],
            "half_life_days": 30,
            "threshold": 0.8,
        },
        "看过、收藏或加购茶类商品；每 30 天减半，淡了自动摘下",
    ),
    (
        "近期加购",
        RuleForm.KEYWORD,
        {"types": ["cart.added"], "min_count": 1, "within_days": 14},
        "14 天内加购过商品",
    ),
    (
        "高频复购",
        RuleForm.CONDITION,
        {
            "condition": {
                "all": [
                    {"field": "order.count", "op": "ge", "value": 4, "window": {"last": {"n": 180, "unit": "day"}}},
                    {"none": [{"field": "lifecycle", "op": "in", "value": ["lost"]}]},
                ]
            }
        },
        "180 天内至少 4 单，且未流失",
    ),
]
TEMPLATES = [
    (
        "老客召回 · 桂花季",
        '{{ member.name | default("亲爱的朋友") }}，好久不见。\n桂花乌龙新茶上市，为您留了一份 8 折礼遇，'
        '到{{ store.name | default("就近门店") }}或小程序都能用。\nhttps://example.com/osmanthus',
    ),
    (
        "新客二单礼",
        '{{ member.name | default("您好") }}，感谢第一次选择禾间生活。\n第二单满 99 元减 20 元，14 天内有效：\n'
        "https://example.com/second-order",
    ),
]


def finish(*, now: datetime, seed: int, password: str, report: Callable[[str], None]) -> None:
    """Make the demo logins, tag the members, run RFM (as of a month ago and today) and lifecycle, and send once."""
    make_users(password=password)
    report("points for past orders")
    earning_demo.load(now=now, report=report)
    report("tagging members")
    tag_demo.load(seed=seed, now=now)
    today = clock.shop_date(now)
    model = rfm_models.ensure_default()
    for day in (today - timedelta(days=30), today):
        report(f"RFM as of {day}")
        rfm.run(model_id=model.pk, as_of=day, actor=SYSTEM, now=now)
    report("lifecycle stages")
    lifecycle.run(as_of=today, actor=SYSTEM, now=now)
    report("model tags")
    model_tags.run(as_of=today, actor=SYSTEM, now=now)
    report("membership tiers")
    # After whatever earns growth.
    tier_demo.load(seed=seed, now=now)
    report("benefits")
    benefit_demo.load(seed=seed, now=now)
    made = [segments.create(name=name, condition=condition, now=now) for name, condition in SEGMENTS]
    # The first segment tells timelines who comes and goes.
    report("automatic tags")
    followed = segments.follow(segment_id=made[0].pk, now=now)
    make_rules(now=now)
    if followed.watch_id is not None:
        watches.evaluate_everyone(watch_id=followed.watch_id, now=now)
    statistics.count(now=now)
    for name, body in TEMPLATES:
        templates.create(name=name, channel="sandbox", subject="", body=body, user_id=None)
    report("tasks and check-ins")
    task_demo.load(now=now)
    report("points spent, corrected and counted")
    points_demo.load(seed=seed, now=now)
    sandbox = next(account for account in accounts.active() if account.channel == "sandbox")
    plan = campaigns.Plan(
        name="桂花季老客召回",
        segment_id=made[0].pk,
        account_id=sandbox.pk,
        body=TEMPLATES[0][1],
        control_percent=10,
    )
    campaign = campaigns.create(plan=plan, user_id=None)
    campaigns.schedule(campaign_id=campaign.pk, at=None, now=now)


def make_users(*, password: str) -> None:
    """The demo logins, all with one password; existing ones get it anew."""
    with atomic():
        for username, name, role, scope in USERS:
            user, _ = User.objects.get_or_create(username=username)
            user.display_name, user.role, user.data_scope = name, role, scope
            user.is_staff = user.is_superuser = role == Role.ADMIN
            user.set_password(password)
            user.save()


def make_rules(*, now: datetime) -> None:
    """The demo's automatic tags, enabled, with everyone evaluated."""
    group = catalogue.create_group(name="自动标签", choice="multiple", colour="teal")
    for name, form, definition, description in RULES:
        tag = catalogue.create_tag(group_id=group.pk, name=name, description=description)
        rule = automatic.create(tag_id=tag.pk, form=form, definition=definition, now=now)
        watches.evaluate_everyone(watch_id=automatic.enable(rule_id=rule.pk, now=now).watch_id, now=now)
