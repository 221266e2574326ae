"""The demo brand's tags, and which of its members wear them: names, and selections over the demo's facts."""

from __future__ import annotations

from typing import NamedTuple


class DemoTag(NamedTuple):
    name: str
    members: str  # SQL that selects member ids; %(salt)s makes a random share repeatable


def _share(low: int, high: int) -> str:
    """Members whose hash falls in [low, high) of a hundred."""
    return (
        f"SELECT id FROM members_member WHERE abs(hashint8extended(id, %(salt)s) %% 100) BETWEEN {low} AND {high - 1}"
    )


def _buyers_of(category: str) -> str:
    return (
        "SELECT l.member_id FROM members_orderline l JOIN members_product p ON p.id = l.product_id "
        f"WHERE p.category = '{category}' GROUP BY l.member_id HAVING count(*) >= 3"
    )


def _doers_of(event: str, times: int) -> str:
    return (
        "SELECT e.member_id FROM members_event e JOIN members_eventtype t ON t.id = e.type_id "
        f"WHERE t.key = '{event}' GROUP BY e.member_id HAVING count(*) >= {times}"
    )


# (group, choice, colour, tags)
GROUPS: list[tuple[str, str, str, list[DemoTag]]] = [
    (
        "来源渠道",
        "single",
        "blue",
        [
            DemoTag("门店扫码", _share(0, 34)),
            DemoTag("小程序注册", _share(34, 58)),
            DemoTag("抖音直播", _share(58, 76)),
            DemoTag("公众号", _share(76, 88)),
            DemoTag("老带新", _share(88, 100)),
        ],
    ),
    (
        "品类偏好",
        "multiple",
        "green",
        [DemoTag(f"爱买{name}", _buyers_of(name)) for name in ("护肤", "香氛", "茶饮", "零食", "家居", "母婴")],
    ),
    (
        "互动行为",
        "multiple",
        "orange",
        [
            DemoTag("直播常客", _doers_of("livestream.watched", 1)),
            DemoTag("收藏达人", _doers_of("product.favorited", 2)),
            DemoTag("爱写评价", _doers_of("review.posted", 1)),
        ],
    ),
    (
        "人群特征",
        "multiple",
        "purple",
        [
            DemoTag("Z 世代", "SELECT id FROM members_member WHERE birth_on >= '1998-01-01'"),
            DemoTag("银发族", "SELECT id FROM members_member WHERE birth_on < '1968-01-01'"),
        ],
    ),
    ("服务关怀", "multiple", "red", [DemoTag("敏感肌", _share(40, 46)), DemoTag("重点回访", _share(97, 99))]),
]
