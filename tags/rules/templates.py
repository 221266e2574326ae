"""Ready segments that operators ask for: a condition, why it is worth writing to them, and what to send.

The words stand here in both languages, beside the condition they describe. A condition may name `"$store"`,
`"$region"` or `"$category"`: the first one that the shop has is put in its place. A template that names a field or an
event nobody has heard of yet is not offered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

PLACES = ("$store", "$region", "$category")


class Words(NamedTuple):
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Template:
    key: str
    group: str  # a key of `GROUPS`
    name: Words
    why: Words
    send: Words
    condition: dict[str, Any]
    icon: str


GROUPS: Mapping[str, Words] = {
    "new": Words("New members and buyers", "新会员与新客"),
    "value": Words("High value and loyal", "高价值与忠诚"),
    "back": Words("Sleeping and lost", "沉睡与流失"),
    "interest": Words("Interested, not buying", "有意向未成交"),
    "reach": Words("Reached and not reached", "触达与授权"),
    "moment": Words("Special days and places", "节点与门店"),
}


def _days(count: int) -> dict[str, Any]:
    return {"n": count, "unit": "day"}


def _leaf(field: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({} if value is None else {"value": value}), **more}


def _did(*types: str, days: int) -> dict[str, Any]:
    return _leaf("event", "true", window={"last": _days(days)}, **{"with": {"type": list(types)}})


def _did_often(*types: str, times: int, days: int) -> dict[str, Any]:
    return _leaf("event.count", "ge", times, window={"last": _days(days)}, **{"with": {"type": list(types)}})


def _orders(op: str, count: int, *, days: int | None = None, **narrowed: Any) -> dict[str, Any]:
    window = {} if days is None else {"window": {"last": _days(days)}}
    return _leaf("order.count", op, count, **window, **({"with": narrowed} if narrowed else {}))


_CONSENTS = tuple(
    _leaf(f"consent.{channel}", "in", ["granted"]) for channel in ("email", "sms", "wecom", "official_account")
)

TEMPLATES: tuple[Template, ...] = (
    Template(
        "no_second_order", "new",
        Words("New buyers without a second order", "首购未复购"),
        Words("The second order decides whether a buyer stays; two weeks to three months after the first is the time.",
              "第二单决定新客能否留下，首单后两周到三个月是最佳窗口。"),
        Words("A thank-you, how to use what they bought, and a coupon for the second order.",
              "感谢信、使用指南，加一张第二单专享券。"),
        {"all": [_orders("eq", 1), _leaf("order.first_at", "at_least_ago", _days(14)),
                 _leaf("order.first_at", "in_last", _days(90))]},
        icon="shopping-bag",
    ),
    Template(
        "joined_no_order", "new",
        Words("Joined a week ago, no order yet", "入会 7 天未下单"),
        Words("Interest fades after the first weeks: the sooner the first order, the better.",
              "入会热情会随时间变淡，越早促成首单越好。"),
        Words("The brand's story, bestsellers, and a newcomer's gift.", "品牌故事、爆款清单与新人礼。"),
        {"all": [_leaf("joined_at", "at_least_ago", _days(7)), _leaf("joined_at", "in_last", _days(60)),
                 _orders("eq", 0)]},
        icon="user-plus",
    ),
    Template(
        "first_order_this_week", "new",
        Words("First order this week", "本周首购新客"),
        Words("A good first week brings reviews and questions that can still be answered.",
              "首购后一周是收集评价、解决疑问的最佳时机。"),
        Words("A welcome from the staff owner, care tips, an invitation to the group.",
              "专属导购问候、养护建议、邀请入群。"),
        {"all": [_leaf("order.first_at", "in_last", _days(7))]},
        icon="sparkles",
    ),
    Template(
        "loyal", "value",
        Words("Loyal buyers", "忠诚复购会员"),
        Words("Five or more orders and one within 90 days: they recommend, when asked.",
              "累计 5 单以上且近 90 天有购买，最愿意推荐给朋友。"),
        Words("Early access to new products, an invitation to refer friends.", "新品优先购、老带新邀请。"),
        {"all": [_orders("ge", 5), _leaf("order.last_at", "in_last", _days(90))]},
        icon="crown",
    ),
    Template(
        "one_big_order", "value",
        Words("One big order", "一次性大额买家"),
        Words("They can spend and have not found a reason to return.", "有消费力，但还没有找到再次购买的理由。"),
        Words("A personal adviser and products that go with what they bought.", "一对一顾问与搭配推荐。"),
        {"all": [_orders("eq", 1), _leaf("order.sum", "ge", "1000")]},
        icon="diamond",
    ),
    Template(
        "high_basket", "value",
        Words("High average order", "高客单价会员"),
        Words("They buy little and dear: bundles and limited editions work, small discounts do not.",
              "单次消费高，套装与限量款比小额优惠更有效。"),
        Words("Limited editions and gift sets; no coupons.", "限量款、礼盒，不必发券。"),
        {"all": [_orders("ge", 2), _leaf("order.average", "ge", "500")]},
        icon="coin",
    ),
    Template(
        "discount_lovers", "value",
        Words("Discount lovers", "爱用优惠券"),
        Words("They wait for coupons: keep the deep discounts for them and spare the others.",
              "习惯等券下单，把力度大的优惠集中发给他们。"),
        Words("Threshold coupons and bundle offers on sale days.", "大促满减券、凑单优惠。"),
        {"all": [_did_often("coupon.redeemed", times=2, days=180)]},
        icon="ticket",
    ),
    Template(
        "high_value_leaving", "back",
        Words("High value, about to lose", "高价值即将流失"),
        Words("Much was bought, nothing lately: they know the brand, so ask before others do.",
              "曾经贡献高、近期沉默，趁还记得品牌尽快挽回。"),
        Words("A call or a message by the staff owner, a comeback gift.", "导购电话或一对一关怀、老客回归礼。"),
        {"all": [_leaf("rfm.class", "in", ["important_keep", "important_win_back"]),
                 _leaf("lifecycle", "in", ["sleeping", "lost"])]},
        icon="alert-triangle",
    ),
    Template(
        "sleeping_90", "back",
        Words("Sleeping for 90 days", "沉睡 90 天"),
        Words("No order for 90 days to a year: they still know the brand.", "90 天至一年未购买，仍记得品牌。"),
        Words("What is new since, and a coupon that ends soon.", "近期上新、限时唤醒券。"),
        {"all": [_leaf("order.last_at", "at_least_ago", _days(90)), _leaf("order.last_at", "in_last", _days(365))]},
        icon="moon",
    ),
    Template(
        "lost_high_value", "back",
        Words("Lost high value", "流失高价值"),
        Words("Spent 1,000 yuan or more in all, and gone for a year.", "累计消费满 1,000 元，已一年没有购买。"),
        Words("An honest question why, and the strongest offer.", "流失原因调研，加最大力度召回礼。"),
        # No score: whoever has not bought within the window of the model has none.
        {"all": [_leaf("order.sum", "ge", "1000"), _leaf("order.last_at", "at_least_ago", _days(365))]},
        icon="heart-broken",
    ),
    Template(
        "wanted_not_bought", "interest",
        Words("In the cart or a favourite, not ordered", "收藏加购未下单"),
        Words("They chose something within 7 days and did not order: the shortest way to an order.",
              "7 天内收藏或加购却未下单，离成交最近的一群人。"),
        Words("A reminder with the product, stock left, or free shipping.", "商品提醒、库存告急或包邮券。"),
        {"all": [_did("product.favorited", "cart.added", days=7), _orders("eq", 0, days=7)]},
        icon="heart",
    ),
    Template(
        "browsing_not_buying", "interest",
        Words("Looks often, does not buy", "常逛不买"),
        Words("Five views in 30 days without an order: something holds them back.",
              "30 天内浏览 5 次以上却没有下单，还差临门一脚。"),
        Words("Reviews and comparisons of what they look at; an adviser.", "买家评价、对比测评、顾问答疑。"),
        {"all": [_did_often("page.viewed", "product.viewed", times=5, days=30), _orders("eq", 0, days=30)]},
        icon="eye",
    ),
    Template(
        "livestream_not_bought", "interest",
        Words("Watched a livestream, not ordered", "看直播未下单"),
        Words("They gave half an hour to the brand and left without an order.", "愿意花时间看直播，却没有下单。"),
        Words("The replay, the hosts' picks at the livestream's price for 24 hours.", "直播回放、直播价延长 24 小时。"),
        {"all": [_did("livestream.watched", days=14), _orders("eq", 0, days=14)]},
        icon="video",
    ),
    Template(
        "opened_not_clicked", "reach",
        Words("Opened, not clicked", "打开未点击"),
        Words("The subject worked, the content did not.", "标题有吸引力，内容没有打动他们。"),
        Words("The same offer with one picture and one button.", "同一优惠，换一张主图和一个按钮再发。"),
        {"all": [_did("message.opened", days=30), {"none": [_did("message.clicked", days=30)]}]},
        icon="mail-opened",
    ),
    Template(
        "no_consent", "reach",
        Words("No marketing consent on any channel", "未授权任何营销渠道"),
        Words("Nobody may write to them: the consent has to be won in the shop or on a page.",
              "不能主动群发，需在门店或页面引导授权。"),
        Words("Nothing by message; a hint for the staff and on the membership page.",
              "不发消息，改由导购或会员页引导授权。"),
        {"all": [{"none": list(_CONSENTS)}]},
        icon="shield-off",
    ),
    Template(
        "consenting_not_reached", "reach",
        Words("May be written to, not reached for 90 days", "已授权但 90 天未触达"),
        Words("Consent that is not used is forgotten.", "授权长期不用，会员会忘记品牌。"),
        Words("A short hello with what fits their last order.", "一条简短问候，结合上次购买推荐。"),
        {"all": [{"any": list(_CONSENTS)}, {"none": [_did("message.sent", days=90)]}]},
        icon="send",
    ),
    Template(
        "birthday_next_week", "moment",
        Words("Birthday within a week", "一周内过生日"),
        Words("A wish that is welcome in any case; a week ahead leaves time to prepare it.",
              "生日关怀最不招人反感，提前一周准备最从容。"),
        Words("A birthday gift that can be used for the whole month.", "当月有效的生日礼券。"),
        {"all": [_leaf("birthday", "anniversary_next", 7)]},
        icon="cake",
    ),
    Template(
        "points_expiring", "moment",
        Words("Points about to expire", "积分即将过期"),
        Words("Points that lapse unseen are remembered as taken away.", "积分悄悄过期最伤体验。"),
        Words("How many points lapse when, and what they buy.", "到期数量与日期，以及可兑换的好物。"),
        {"all": [_leaf("points.expiring", "ge", 1, **{"with": {"within": _days(30)}})]},
        icon="coins",
    ),
    Template(
        "store_away", "moment",
        Words("Members of a store who stay away", "门店久未到店"),
        Words("The store knows them by name; 60 days without an order is the moment to ask.",
              "门店熟客 60 天没来，正是导购问候的时机。"),
        Words("A message from the store: new arrivals, an appointment.", "门店上新、预约到店礼。"),
        {"all": [_leaf("store", "in", ["$store"]), _leaf("order.last_at", "at_least_ago", _days(60))]},
        icon="building-store",
    ),
    Template(
        "region_new", "moment",
        Words("New members of a region", "区域新会员"),
        Words("For openings and local events: who joined lately nearby.", "新店开业或区域活动，邀请附近新入会的会员。"),
        Words("An invitation to the nearest store.", "就近门店活动邀请。"),
        {"all": [_leaf("region", "in", ["$region"]), _leaf("joined_at", "in_last", _days(90))]},
        icon="map-pin",
    ),
    Template(
        "replenish", "moment",
        Words("Time to buy again", "品类复购提醒"),
        Words("Bought a category twice within a year and not for 60 days: it is used up.",
              "一年内买过两次以上，60 天未再购，该补货了。"),
        Words("A reminder to stock up, with the product they had.", "补货提醒与常购商品。"),
        {"all": [_orders("ge", 2, days=365, category=["$category"]),
                 _orders("eq", 0, days=60, category=["$category"])]},
        icon="refresh",
    ),
)  # fmt: skip


def filled(condition: Any, values: Mapping[str, Any]) -> Any:
    """The condition with `"$store"` and its like replaced. Raises `KeyError` for one that has no value."""
    if isinstance(condition, list):
        return [filled(item, values) for item in condition]
    if isinstance(condition, dict):
        return {key: filled(item, values) for key, item in condition.items()}
    return values[condition] if isinstance(condition, str) and condition in PLACES else condition


def with_known_events(condition: Any, known: Collection[str]) -> Any:
    """The condition with the event types that have never been heard of left out, where others stay."""
    if isinstance(condition, list):
        return [with_known_events(item, known) for item in condition]
    if not isinstance(condition, dict):
        return condition
    types = condition.get("with", {}).get("type") if str(condition.get("field", "")).startswith("event") else None
    if not isinstance(types, list):
        return {key: with_known_events(item, known) for key, item in condition.items()}
    heard = [key for key in types if key in known]
    return {**condition, "with": {**condition["with"], "type": heard or types}}


def events_named(condition: Any) -> set[str]:
    """The event types that a condition names."""
    if isinstance(condition, list):
        return {key for item in condition for key in events_named(item)}
    if not isinstance(condition, dict):
        return set()
    if str(condition.get("field", "")).startswith("event"):
        types = condition.get("with", {}).get("type", [])
        return {key for key in types if isinstance(key, str)}
    return {key for item in condition.values() for key in events_named(item)}
