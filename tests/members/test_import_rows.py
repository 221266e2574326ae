"""Every way in which a row or a file can be wrong: its exact reason, and nothing else lost."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from members.models import Event, Identity, Member, MemberSummary, Order, OrderLine
from scrm.common import encryption
from scrm.common.models.jobs import JobState
from tests.factories import make_member, make_store
from tests.members.importing import as_csv, error_rows, errors, run

pytestmark = pytest.mark.django_db
FAR = "2099-01-01 00:00:00"

MEMBER_HEADER = ["手机号", "邮箱", "会员号", "姓名", "性别", "生日", "城市", "门店", "入会时间"]
MEMBER = {
    "手机号": "13800000001", "邮箱": "", "会员号": "", "姓名": "李华", "性别": "女", "生日": "1990-05-20",
    "城市": "上海", "门店": "", "入会时间": "2026-01-08",
}  # fmt: skip
BAD_MEMBERS: list[tuple[dict[str, str], str, str]] = [
    ({"手机号": ""}, "", "no_identity"),
    ({"手机号": "12"}, "手机号", "invalid"),
    ({"手机号": "1.38E+10"}, "手机号", "invalid"),
    ({"手机号": "=13800000001"}, "手机号", "formula"),
    ({"手机号": "+" * 200}, "手机号", "too_long"),
    ({"邮箱": "no address"}, "邮箱", "invalid"),
    ({"邮箱": "@SUM(A1)"}, "邮箱", "formula"),
    ({"会员号": "9" * 200}, "会员号", "too_long"),
    ({"姓名": "名" * 61}, "姓名", "too_long"),
    ({"姓名": "=HYPERLINK(1)"}, "姓名", "formula"),
    ({"姓名": "+1+1"}, "姓名", "formula"),
    ({"姓名": "a\0b"}, "姓名", "forbidden_character"),
    ({"姓名": "a\x1bb"}, "姓名", "forbidden_character"),
    ({"性别": "x"}, "性别", "invalid"),
    ({"生日": "1990-02-30"}, "生日", "invalid"),
    ({"生日": "yesterday"}, "生日", "wrong_type"),
    ({"生日": "1812-01-01"}, "生日", "out_of_range"),
    ({"生日": "2090-01-01"}, "生日", "out_of_range"),
    ({"城市": "城" * 41}, "城市", "too_long"),
    ({"门店": "NOWHERE"}, "门店", "unknown_store"),
    ({"门店": "S" * 33}, "门店", "too_long"),
    ({"入会时间": FAR}, "入会时间", "in_future"),
    ({"入会时间": "1890-01-01"}, "入会时间", "out_of_range"),
    ({"入会时间": "13:00"}, "入会时间", "wrong_type"),
]

ORDER_HEADER = [
    "订单号",
    "手机号",
    "下单时间",
    "付款时间",
    "订单状态",
    "商品编码",
    "商品名称",
    "数量",
    "单价",
    "门店",
    "渠道",
]
ORDER = {
    "订单号": "A1", "手机号": "13800000001", "下单时间": "2026-01-08 10:00", "付款时间": "2026-01-08 10:01",
    "订单状态": "已付款", "商品编码": "P1", "商品名称": "面霜", "数量": "2", "单价": "9.90", "门店": "", "渠道": "",
}  # fmt: skip
BAD_ORDERS: list[tuple[dict[str, str], str, str]] = [
    ({"订单号": ""}, "订单号", "missing"),
    ({"订单号": "N" * 65}, "订单号", "too_long"),
    ({"订单号": "=A1"}, "订单号", "formula"),
    ({"订单号": "1.23457E+17"}, "订单号", "invalid"),
    ({"手机号": ""}, "手机号", "no_identity"),
    ({"手机号": "abc"}, "手机号", "invalid"),
    ({"下单时间": ""}, "下单时间", "missing"),
    ({"下单时间": "soon"}, "下单时间", "wrong_type"),
    ({"下单时间": "2026-13-01"}, "下单时间", "invalid"),
    ({"下单时间": FAR}, "下单时间", "in_future"),
    ({"付款时间": FAR}, "付款时间", "in_future"),
    ({"订单状态": "迷路"}, "订单状态", "invalid"),
    ({"商品编码": ""}, "商品编码", "missing"),
    ({"商品编码": "P" * 65}, "商品编码", "too_long"),
    ({"商品编码": "@P"}, "商品编码", "formula"),
    ({"商品名称": "名" * 201}, "商品名称", "too_long"),
    ({"商品名称": "=1+1"}, "商品名称", "formula"),
    ({"数量": ""}, "数量", "missing"),
    ({"数量": "two"}, "数量", "wrong_type"),
    ({"数量": "1.5"}, "数量", "wrong_type"),
    ({"数量": "0"}, "数量", "non_positive"),
    ({"数量": "-1"}, "数量", "non_positive"),
    ({"数量": "1000001"}, "数量", "out_of_range"),
    ({"数量": "9" * 23}, "数量", "out_of_range"),
    ({"单价": "free"}, "单价", "wrong_type"),
    ({"单价": "NaN"}, "单价", "wrong_type"),
    ({"单价": "-1"}, "单价", "non_positive"),
    ({"单价": "1e30"}, "单价", "out_of_range"),
    ({"单价": "=9.9"}, "单价", "formula"),
    ({"门店": "NOWHERE"}, "门店", "unknown_store"),
    ({"渠道": "c" * 25}, "渠道", "too_long"),
    ({"渠道": "a\0"}, "渠道", "forbidden_character"),
]

EVENT_HEADER = ["事件类型", "发生时间", "手机号", "事件ID", "金额", "页面"]
EVENT = {
    "事件类型": "浏览商品", "发生时间": "2026-01-08 10:00", "手机号": "13800000001", "事件ID": "e1", "金额": "",
    "页面": "首页",
}  # fmt: skip
BAD_EVENTS: list[tuple[dict[str, str], str, str]] = [
    ({"事件类型": ""}, "事件类型", "missing"),
    ({"事件类型": "t" * 61}, "事件类型", "too_long"),
    ({"事件类型": "=t"}, "事件类型", "formula"),
    ({"发生时间": ""}, "发生时间", "missing"),
    ({"发生时间": "2026-01-08 25:00"}, "发生时间", "invalid"),
    ({"发生时间": FAR}, "发生时间", "in_future"),
    ({"手机号": ""}, "", "no_identity"),
    ({"手机号": "x"}, "手机号", "invalid"),
    ({"事件ID": "m" * 129}, "事件ID", "too_long"),
    ({"金额": "much"}, "金额", "wrong_type"),
    ({"金额": "-5"}, "金额", "out_of_range"),
    ({"页面": "=1"}, "页面", "formula"),
    ({"页面": "p" * 2001}, "页面", "too_long"),
    ({"页面": "\0"}, "页面", "forbidden_character"),
]


def surrounded(header: list[str], good: dict[str, str], bad: list[dict[str, str]], key: str) -> list[list[str]]:
    """A good row before and after each bad one, each with a key of its own."""
    rows = []
    for number, values in enumerate(bad):
        rows.append(good | {key: f"G{number}"})
        rows.append(good | {key: f"B{number}"} | values)
    rows.append(good | {key: "LAST"})
    return [header] + [[row[column] for column in header] for row in rows]


@pytest.mark.parametrize(
    ("kind", "header", "good", "bad", "key", "table"),
    [
        ("members", MEMBER_HEADER, MEMBER, BAD_MEMBERS, "会员号", Member),
        ("orders", ORDER_HEADER, ORDER, BAD_ORDERS, "订单号", Order),
        ("events", EVENT_HEADER, EVENT, BAD_EVENTS, "事件ID", Event),
    ],
)
def test_each_bad_row_has_its_reason_and_takes_no_other_with_it(
    kind: str, header: list[str], good: dict[str, str], bad: list[tuple[dict[str, str], str, str]], key: str, table: Any
) -> None:
    if kind == "members":
        good = good | {"手机号": ""}
        # Here the key is the identity too: the row that names nobody has to lose both.
        bad = [
            (values | ({"会员号": ""} if code == "no_identity" else {}), column, code) for values, column, code in bad
        ]
        bad = [one if one[0].get("手机号") != "" or one[2] == "no_identity" else one for one in bad]
    columns = {"页面": "extra"} if kind == "events" else {}
    from members.rules import mappings  # noqa: PLC0415

    rows = surrounded(header, good, [values for values, _column, _code in bad], key)
    job = run(as_csv(*rows), kind=kind, columns=mappings.guess(kind, header) | columns)

    assert job.state == JobState.SUCCEEDED, job.error
    assert errors(job) == [[str(3 + 2 * n), column, code] for n, (_values, column, code) in enumerate(bad)]
    assert job.counts["accepted"] == table.objects.count() == len(bad) + 1
    assert job.counts["rejected"] == len(bad)


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ([["A1", "13800000001", "2026-01-08"]], [["2", "", "wrong_columns"]]),
        ([["A1", "13800000001", "2026-01-08", "5", "more"]], [["2", "", "wrong_columns"]]),
        ([["A1", "13800000001", "2026-01-08", "5", "", ""]], []),
        ([["A1", "13800000001", "2026-01-08", "5"], ["A1", "13800000001", "2026-01-08", "5"]], []),
        (
            [["A1", "13800000001", "2026-01-08", "5"], ["A1", "13800000001", "2026-01-08", "6"]],
            [["2", "实付金额", "conflicting_duplicate"], ["3", "实付金额", "conflicting_duplicate"]],
        ),
        (
            [["A1", "13800000001", "2026-01-08", "5"], ["A1", "13800000002", "2026-01-08", "5"]],
            [["2", "手机号", "ambiguous_member"], ["3", "手机号", "ambiguous_member"]],
        ),
        ([["A1", "13800000001", "2026-01-08", ""]], [["2", "实付金额", "missing"]]),
        ([[], ["A1", "13800000001", "2026-01-08", "5"], ["", "", "", ""]], []),
    ],
)
def test_rows_that_do_not_fit_the_header_or_each_other(rows: list[list[str]], reasons: list[list[str]]) -> None:
    header = ["订单号", "手机号", "下单时间", "实付金额"]
    last = ["Z9", "13800000009", "2026-01-09", "7"]
    job = run(as_csv(header, *rows, last))
    assert errors(job) == reasons
    assert job.counts["accepted"] == (1 if reasons else 2)
    assert set(Order.objects.values_list("amount", flat=True)) == ({700} if reasons else {500, 700})


def test_a_bad_line_keeps_its_whole_order_out() -> None:
    header = ["订单号", "手机号", "下单时间", "商品编码", "数量", "单价"]
    job = run(
        as_csv(
            header,
            ["A1", "13800000001", "2026-01-08", "P1", "1", "5"],
            ["A1", "13800000001", "2026-01-08", "P2", "?", "5"],
            ["A2", "13800000001", "2026-01-08", "P1", "3", "5"],
        )
    )
    assert errors(job) == [["2", "数量", "wrong_type"], ["3", "数量", "wrong_type"]]
    assert list(Order.objects.values_list("external_number", "amount")) == [("A2", 1500)]


def test_what_shops_write_is_understood() -> None:
    header = ["订单编号", "联系电话", "下单时间", "订单状态", "商品编码", "数量", "单价（元）", "优惠金额"]
    job = run(
        as_csv(
            header,
            [
                '="20260108001"',
                "'+8613800000001",
                "2026年1月8日 10时30分",
                "交易成功",
                "P1",
                "1,200",
                "￥1,000.50",
                "0.5元",
            ],
            ["20260108002", "138 0000 0001", "1/9/2026 8:05", "待付款", "P1", "2.0", "１２", ""],
            ["20260108003", "13800000001", "2026-01-10T08:00:00+00:00", "交易关闭", "P1", "1", ".5", ""],
        )
    )
    assert errors(job) == []
    found = Order.objects.order_by("external_number").values_list(
        "external_number", "state", "amount", "discount", "ordered_at"
    )
    assert list(found) == [
        ("20260108001", "completed", 120_059_950, 50, datetime(2026, 1, 8, 2, 30, tzinfo=UTC)),
        ("20260108002", "created", 2400, 0, datetime(2026, 1, 9, 0, 5, tzinfo=UTC)),
        ("20260108003", "closed", 50, 0, datetime(2026, 1, 10, 8, 0, tzinfo=UTC)),
    ]
    assert Member.objects.count() == 1


def test_members_are_found_updated_and_left_alone() -> None:
    make_store("S1")
    known = make_member(phone="+8613800000001", name="旧名")
    content = as_csv(
        ["手机", "昵称", "性别", "出生日期", "门店编号", "注册时间"],
        ["13800000001", "李华", "女士", "1990/5/2", "S1", "2026-01-08 09:00:00"],
        ["13800000002", "王伟", "先生", "19851103", "", ""],
    )
    job = run(content, kind="members")
    assert job.counts == {"rows": 2, "accepted": 1, "updated": 1}
    known.refresh_from_db()
    assert (known.name, known.gender, known.birth_on) == ("李华", "f", date(1990, 5, 2))
    assert known.store is not None
    other = Identity.objects.get(value=encryption.blind_index("phone", "+8613800000002")).member
    assert (other.name, other.gender, other.birth_on) == ("王伟", "m", date(1985, 11, 3))

    assert run(content, kind="members").counts == {"rows": 2, "duplicate": 2}


def test_events_without_an_id_are_known_by_their_content() -> None:
    content = as_csv(
        ["事件", "时间", "手机号", "页面"],
        ["浏览", "2026-01-08 10:00:00", "13800000001", "首页"],
        ["浏览", "2026-01-08 10:00:00", "13800000001", "详情"],
        ["浏览", "2026-01-08 10:00:00", "13800000001", "首页"],
    )
    columns = {"事件": "type", "时间": "occurred_at", "手机号": "phone", "页面": "extra"}
    assert run(content, kind="events", columns=columns).counts == {"rows": 3, "accepted": 2, "duplicate": 1}
    assert run(content, kind="events", columns=columns).counts == {"rows": 3, "duplicate": 3}
    assert sorted(Event.objects.values_list("properties", flat=True), key=str) == [{"页面": "详情"}, {"页面": "首页"}]
    assert MemberSummary.objects.get().event_count == 2


ROWS = [["手机号", "姓名"], ["13800000001", "李华"], ["13800000002", "王伟"]]


@pytest.mark.parametrize(
    "content",
    [
        as_csv(*ROWS),
        b"\xef\xbb\xbf" + as_csv(*ROWS),
        as_csv(*ROWS).decode().encode("gb18030"),
        gzip.compress(as_csv(*ROWS).decode().encode("gb18030")),
        as_csv(*ROWS).replace(b",", b";"),
        as_csv(*ROWS).replace(b",", b"\t").replace(b"\r\n", b"\n"),
    ],
    ids=["utf-8", "utf-8 with mark", "gb18030", "gb18030.gz", "semicolons", "tabs"],
)
def test_encodings_and_delimiters_are_found_out(content: bytes) -> None:
    assert run(content, kind="members").counts == {"rows": 2, "accepted": 2}
    assert set(Member.objects.values_list("name", flat=True)) == {"李华", "王伟"}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_bytes_that_are_not_text_cost_only_their_row(encoding: str) -> None:
    lines = [",".join(row).encode(encoding) for row in ROWS]
    lines.insert(2, b"13800000003,\xff\xff")
    job = run(b"\r\n".join(lines), kind="members", encoding=encoding)
    assert errors(job) == [["3", "姓名", "bad_encoding"]]
    assert job.counts["accepted"] == 2
    assert run(b"\r\n".join(lines), kind="members").counts["rejected"] == 1  # found out, too


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_a_workbook_with_dates_and_numbers() -> None:
    at = datetime(2026, 1, 8)  # noqa: DTZ001  # a workbook knows no zones
    content = workbook(
        ["订单号", "手机号", "下单时间", "商品编码", "商品名称", "数量", "单价"],
        [20260108001, 13800000001, at.replace(hour=10), "P1", "面霜\n50g", 2, 0.335],
        [None, None, None, None, None, None, None],
        ["A2", 13800000002.0, date(2026, 1, 9), 100, None, 1.0, 5],
        ["A3", 13800000003, at, "P1", "=1+1", 2, 5],
        ["A4", 13800000004, at, "P1", "面霜", "=1+1", 5],
        ["A5", 13800000005, at, "P1", None, 1, 1],
    )
    job = run(content)
    assert errors(job) == [
        ["2", "商品名称", "forbidden_character"],
        ["5", "商品名称", "formula"],
        ["6", "数量", "formula"],
    ]
    assert list(Order.objects.order_by("external_number").values_list("external_number", "amount", "ordered_at")) == [
        ("A2", 500, datetime(2026, 1, 8, 16, tzinfo=UTC)),
        ("A5", 100, datetime(2026, 1, 7, 16, tzinfo=UTC)),
    ]
    assert OrderLine.objects.get(order__external_number="A2").unit_price == Decimal(5)
    phones = {encryption.blind_index("phone", f"+861380000000{n}") for n in (2, 5)}
    assert set(Identity.objects.values_list("value", flat=True)) == phones


def bomb() -> bytes:
    """A workbook whose sheet unpacks to 40 MiB of one cell."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(["a"]))) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, b" " * (40 << 20) if name.endswith("sheet1.xml") else source.read(name))
    return stream.getvalue()


GOOD = as_csv(["手机号"], *[[f"138000{n:05}"] for n in range(50)])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (as_csv(["手机号"]), "no_rows"),
        (as_csv(["姓名"], ["李华"]), "missing_columns"),
        (as_csv(["手机号", "手机号"], ["13800000001", "13800000002"]), "duplicate_columns"),
        (GOOD + b'"13800000001\r\n' + GOOD * 3000, "unclosed_quote"),
        (gzip.compress(GOOD)[:-12], "damaged_file"),
        (gzip.compress(GOOD * 50)[:200] + b"x" * 100, "damaged_file"),
        (gzip.compress(b"x" * (30 << 20)), "too_large"),
        (bomb(), "too_large"),
        (workbook(["手机号"], [1])[:-200], "damaged_file"),
        (as_csv(["手机号"], *[["13800000001"]] * 101), "too_many_rows"),
        (as_csv([f"c{n}" for n in range(300)], ["1"] * 300), "too_many_columns"),
    ],
)
def test_a_file_that_cannot_be_read_fails_as_a_whole_before_a_row_is_taken(
    content: bytes, code: str, settings: Any
) -> None:
    settings.IMPORT_MAX_UNPACKED_BYTES = 20 << 20
    settings.IMPORT_MAX_ROWS = 100 if code == "too_many_rows" else 1_000_000
    from members.operations import imports  # noqa: PLC0415
    from members.rules.mappings import Definition  # noqa: PLC0415
    from scrm.common.access import SYSTEM  # noqa: PLC0415
    from tests.members.importing import finish  # noqa: PLC0415

    job = finish(
        imports.create(
            kind="members", source_key="shop", definition=Definition(columns={"手机号": "phone"}),
            file=imports.keep(chunks=[content]), label="f", actor=SYSTEM, announced=False,
        )
    )  # fmt: skip
    assert (job.state, job.error_code) == (JobState.FAILED, code)
    assert not Member.objects.exists()


def test_the_error_file_is_safe_to_open_and_can_be_imported_again() -> None:
    content = as_csv(
        ["手机号", "姓名", "备注"],
        ["13800000001", "=HYPERLINK(1)", "@x"],
        ["13800000002", "+1", "-1"],
        ["13800000003", "好", "\tx"],
        ["12", "好", "y"],
    )
    job = run(content, kind="members", columns={"手机号": "phone", "姓名": "name"})
    rows = error_rows(job)
    assert rows[0] == ["line", "field", "code", "message", "手机号", "姓名", "备注"]
    assert rows[1][:3] + rows[1][4:] == ["2", "姓名", "formula", "13800000001", "'=HYPERLINK(1)", "'@x"]
    assert rows[2][4:] == ["13800000002", "'+1", "'-1"]
    assert rows[3][4:] == ["12", "好", "y"]
    corrected = as_csv(rows[0], *[[*row[:4], row[4], "王伟", row[6]] for row in rows[1:3]])
    again = run(corrected, kind="members", columns={"手机号": "phone", "姓名": "name"})
    assert again.counts == {"rows": 2, "accepted": 2}
