"""What members of the demo brand are entitled to."""

from __future__ import annotations

from typing import Any

# (key, kind, contents, quota, period)
BENEFITS: list[tuple[str, str, dict[str, Any], int | None, str]] = [
    (
        "free-shipping",
        "free_shipping",
        {
            "name": "满 99 包邮", "icon": "truck-delivery", "parameters": {"min_spend": 9_900}, "cost": 800,
            "claimed_first": False, "description": "单笔满 99 元免运费",
            "usage_rules": "下单时自动减免，偏远地区除外。",
        },
        4,
        "month",
    ),
    (
        "birthday-tea",
        "birthday_gift",
        {
            "name": "生日茶礼", "icon": "cake", "parameters": {"window": "month", "gift": "桂花乌龙礼盒一份"},
            "cost": 3_900, "description": "生日当月到店领取茶礼一份", "usage_rules": "到店出示核销码，每年一次。",
        },
        1,
        "year",
    ),
    (
        "double-points",
        "points_multiplier",
        {
            "name": "老客双倍积分", "icon": "coins", "parameters": {"percent": 200},
            "condition": {"all": [{"field": "order.count", "op": "ge", "value": 4}]},
            "description": "累计 4 单以上，消费享双倍积分",
        },
        None,
        "ever",
    ),
    (
        "tea-tasting",
        "service",
        {
            "name": "到店品茶", "icon": "coffee", "parameters": {"what": "茶艺师一对一品鉴 30 分钟"}, "cost": 2_000,
            "claim_days": 30, "description": "每季一次，需提前预约", "usage_rules": "请提前一天预约，可携一位同伴。",
        },
        1,
        "quarter",
    ),
    (
        "partner-coffee",
        "partner_code",
        {
            "name": "合作咖啡兑换券", "icon": "ticket", "cost": 1_500, "low_stock": 50, "claim_days": 60,
            "parameters": {"settle_on": "claim", "url": "https://example.com/coffee"},
            "condition": {"all": [{"field": "order.sum", "op": "ge", "value": "500"}]},
            "description": "累计消费满 500 元，每月一杯拿铁",
        },
        1,
        "month",
    ),
]  # fmt: skip
PARTNER = {
    "name": "山间咖啡",
    "contact": "合作部 partner@example.com",
    "terms": "按发放券码结算，每月 5 日前对账，月结 30 天。",
}
CODES = 120
# For the upper half of the ladder, where there is one; the others are for everybody.
FOR_UPPER_TIERS = frozenset({"tea-tasting", "double-points"})
