"""How the columns of a file become fields: the fields there are, guessing from a header, and the built-in mappings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct

from members.enums import ImportKind
from members.rules.tables import TableError

# What a column may become several times: kept under its own name.
EXTRA = "extra"
IDENTITIES = ("phone", "email", "member_number", "unionid", "openid", "external_userid", "app_user")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a column can become. `kind` names the reader of its cells; `length` bounds text."""

    key: str
    kind: str
    aliases: str = ""
    required: bool = False
    length: int | None = None


_WHO = (
    Field(
        "phone", "key", "手机号 手机 手机号码 电话 联系电话 收货手机 买家手机 会员手机 mobile phonenumber tel",
        length=160,
    ),
    Field("email", "key", "邮箱 电子邮箱 电子邮件 emailaddress mail", length=160),
    Field(
        "member_number", "key",
        "会员号 会员编号 会员id 会员卡号 客户编号 客户id 用户id customerid customerno customernumber membernumber "
        "memberid userid",
        length=160,
    ),
    Field("unionid", "key", "微信unionid wechatunionid", length=160),
    Field("openid", "key", "微信openid wechatopenid", length=160),
    Field("external_userid", "key", "外部联系人id 企微客户id externaluserid", length=160),
    Field("app_user", "key", "app用户 app用户id appuserid", length=160),
)  # fmt: skip
_PROFILE = (
    Field("name", "text", "姓名 会员姓名 客户姓名 昵称 fullname customername", length=60),
    Field("country", "text", "国家 国家地区", length=60),
    Field("province", "text", "省 省份 所在省份 收货省份 state(province)", length=40),
    Field("city", "text", "市 城市 所在城市 收货城市", length=40),
)

FIELDS: Mapping[str, tuple[Field, ...]] = {
    ImportKind.MEMBERS: (
        *_WHO,
        *_PROFILE,
        Field("gender", "gender", "性别 sex"),
        Field("birth_on", "day", "生日 出生日期 birthday birthdate dateofbirth"),
        Field("language", "text", "语言", length=8),
        Field("store", "key", "门店 门店编号 门店编码 所属门店 storecode", length=32),
        Field("owner", "key", "导购 导购工号 员工编号 专属导购 staffnumber", length=32),
        Field("joined_at", "instant", "入会时间 注册时间 加入时间 创建时间 registeredat joindate createdat"),
        Field(EXTRA, "text", length=2000),
    ),
    ImportKind.ORDERS: (
        Field(
            "number", "key",
            "订单号 订单编号 单号 交易单号 主订单编号 orderno ordernumber orderid invoiceno invoice",
            required=True, length=64,
        ),
        *_WHO,
        Field(
            "ordered_at", "instant",
            "下单时间 订单时间 订单创建时间 创建时间 交易时间 下单日期 orderdate ordertime createdat invoicedate",
            required=True,
        ),
        Field("paid_at", "instant", "付款时间 支付时间 付款日期 paidat paytime paymenttime"),
        Field("state", "state", "订单状态 状态 交易状态 status orderstatus"),
        Field(
            "amount", "number",
            "实付金额 实付款 实收金额 订单金额 应付金额 买家实付金额 总金额 total totalamount orderamount",
        ),
        Field("discount", "number", "优惠金额 优惠 折扣金额"),
        Field(
            "sku", "sku", "商品编码 商品编号 货号 商家编码 sku编码 productid productcode itemcode stockcode",
            length=64,
        ),
        Field("product_name", "text", "商品名称 商品 商品标题 宝贝标题 product description title", length=200),
        Field("category", "text", "分类 品类 类目 商品分类", length=60),
        Field("quantity", "integer", "数量 商品数量 购买数量 件数 宝贝数量 qty"),
        Field("unit_price", "number", "单价 商品单价 商品价格 价格 售价 price"),
        Field("store", "key", "门店 门店编号 门店编码 下单门店 storecode", length=32),
        Field("channel", "text", "渠道 订单来源 销售渠道", length=24),
        Field("version_at", "instant", "更新时间 修改时间 最后更新时间 updatedat modifiedat"),
        *_PROFILE,
    ),
    ImportKind.EVENTS: (
        Field(
            "type", "text", "事件 事件类型 行为 行为类型 事件名称 event eventtype eventname action",
            required=True, length=60,
        ),
        Field("occurred_at", "instant", "发生时间 时间 行为时间 事件时间 time timestamp eventtime", required=True),
        *_WHO,
        Field("message_id", "key", "消息id 事件id 唯一标识 messageid eventid", length=128),
        Field("amount", "number", "金额 事件金额 value"),
        Field(EXTRA, "text", length=2000),
    ),
}  # fmt: skip


class Definition(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping as it is stored: header of a column → key of a field, and how the cells are written."""

    columns: dict[str, str]
    encoding: Literal["", "utf-8", "gb18030"] = ""  # "" means: find out
    day_first: bool = False  # of dates that end with the year: 22/11/2026
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "CNY"
    # Orders whose number starts so are refunds without an order: one refund of all their lines.
    refund_prefix: Annotated[str, Meta(max_length=8)] = ""
    # A bad row costs only itself and the rest of its order is taken; otherwise the order is refused as a whole.
    rows_apart: bool = False


@dataclass(frozen=True, slots=True)
class NamedMapping:
    """A named definition, saved or built in."""

    name: str
    kind: str
    source_key: str
    definition: Definition
    built_in: bool = False


ONLINE_RETAIL = NamedMapping(
    name="online-retail",
    kind=ImportKind.ORDERS.value,
    source_key="online-retail",
    definition=Definition(
        columns={
            "InvoiceNo": "number",
            "StockCode": "sku",
            "Description": "product_name",
            "Quantity": "quantity",
            "InvoiceDate": "ordered_at",
            "UnitPrice": "unit_price",
            "CustomerID": "member_number",
            "Country": "country",
        },
        encoding="utf-8",
        currency="GBP",
        refund_prefix="C",
        rows_apart=True,
    ),
    built_in=True,
)
BUILT_IN: dict[str, NamedMapping] = {ONLINE_RETAIL.name: ONLINE_RETAIL}

_BRACKETS = re.compile(r"[(\[【][^)\]】]*[)\]】]$")
_NOISE = re.compile(r"[\s_\-./:：*#]+")


def plain(header: str) -> str:
    """A header as it is compared: "Order_No. " and "orderno" are one, "实付金额（元）" and "实付金额" too."""
    return _NOISE.sub("", _BRACKETS.sub("", unicodedata.normalize("NFKC", header).lower().strip()))


def guess(kind: str, header: Sequence[str]) -> dict[str, str]:
    """The field that each column probably is; a field is given to the first column that is called like it."""
    names: dict[str, str] = {}
    for field in FIELDS[kind]:
        for alias in (field.key, *field.aliases.split()):
            names.setdefault(plain(alias), field.key)
    found: dict[str, str] = {}
    for column in header:
        key = names.get(plain(column))
        if key and key != EXTRA and key not in found.values():
            found.setdefault(column, key)
    return found


def fitting(header: Sequence[str], kind: str, saved: Iterable[NamedMapping]) -> NamedMapping | None:
    """The saved mapping that uses the most columns of this header and needs none that is not there."""
    present = set(header)
    candidates = [one for one in saved if one.kind == kind and present.issuperset(one.definition.columns)]
    return max(candidates, key=lambda one: len(one.definition.columns), default=None)


def problem(kind: str, columns: Mapping[str, str]) -> tuple[str, list[str]] | None:
    """What makes these columns unusable: a code and the keys concerned.

    unknown_fields, field_twice, missing_fields (a required one, or everything that names a member), or incomplete_lines
    (an order without amount needs product, quantity and price).
    """
    known = {field.key for field in FIELDS[kind]}
    used = list(columns.values())
    if unknown := sorted(set(used) - known):
        return "unknown_fields", unknown
    if twice := sorted({key for key in used if key != EXTRA and used.count(key) > 1}):
        return "field_twice", twice
    if missing := [field.key for field in FIELDS[kind] if field.required and field.key not in used]:
        return "missing_fields", missing
    if not set(IDENTITIES) & set(used):
        return "no_member_column", ["phone", "email", "member_number"]
    if kind == ImportKind.ORDERS:
        line = [key for key in ("sku", "quantity", "unit_price") if key not in used]
        if ("amount" not in used and line) or (line and len(line) < 3 and "sku" in used):
            return "incomplete_lines", line
    return None


def positions(kind: str, definition: Definition, header: Sequence[str]) -> list[tuple[int, str, Field]]:
    """(position, header, field) of every mapped column. Raises `TableError` when the file does not have them."""
    missing = [column for column in definition.columns if column not in header]
    if missing:
        raise TableError("missing_columns", columns=", ".join(missing))
    double = sorted({column for column in definition.columns if header.count(column) > 1})
    if double:
        raise TableError("duplicate_columns", columns=", ".join(double))
    fields = {field.key: field for field in FIELDS[kind]}
    # In the file's order: of several wrong cells of a row the first is told.
    return sorted(
        ((header.index(column), column, fields[key]) for column, key in definition.columns.items()),
        key=lambda one: one[0],
    )
