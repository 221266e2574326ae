"""The import pages: from the upload to the result, and who may see what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from members.models import ImportMapping, Order
from members.web.import_samples import SAMPLES
from scrm.common.access import DataScope, Role
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from tests.factories import client_as
from tests.members.importing import as_csv, finish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's part is done by the test itself."""
    monkeypatch.setattr("scrm.common.jobs.announce", lambda job_id: None)


def upload(client: Client, content: bytes, kind: str = "orders") -> Any:
    file = SimpleUploadedFile("文件.csv", content)
    return client.post(reverse("import_new"), {"kind": kind, "file": file})


def entered(page: Any) -> dict[str, str]:
    """What the mapping form would send as it stands."""
    form = page.context["form"]
    return {bound.html_name: bound.value() for bound in form if bound.value() not in (None, False, "")}


@pytest.mark.parametrize("kind", ["members", "orders", "events"])
def test_an_example_file_walks_through_without_a_choice(kind: str) -> None:
    client = client_as(Role.OPERATOR)
    example = client.get(reverse("import_template", args=[kind]))
    assert example.headers["Content-Disposition"] == f'attachment; filename="{kind}.csv"'

    mapping = client.get(upload(client, example.content, kind).headers["Location"])
    assert all(value for name, value in entered(mapping).items() if name.startswith("column-"))
    check = client.post(mapping.request["PATH_INFO"], {**entered(mapping), "action": "check"})
    assert (check.status_code, check.context["problem_count"]) == (200, 0)
    started = client.post(mapping.request["PATH_INFO"], {**dict(check.context["kept"]), "action": "run"})
    job = Job.objects.get()
    assert started.headers["Location"] == reverse("import_detail", args=[job.pk])
    waiting = client.get(started.headers["Location"])
    assert 'hx-trigger="every 1s"' in waiting.content.decode()
    finish(job)

    assert job.state == JobState.SUCCEEDED, job.error
    expected = {"members": 2, "orders": 2, "events": 2}[kind]
    assert job.counts == {"rows": len(SAMPLES[kind]) - 1, "accepted": expected}
    done = client.get(started.headers["Location"])
    assert "every 1s" not in done.content.decode()
    assert client.get(reverse("import_list")).context["rows"][0]["taken"] == expected


def test_rejected_rows_are_shown_before_and_downloaded_after() -> None:
    client = client_as(Role.OPERATOR)
    content = as_csv(
        ["订单号", "手机号", "下单时间", "实付金额", "城市"],
        ["A1", "13800000001", "2026-01-08", "10", "上海"],
        ["A2", "13800000001", "2026-01-08", "abc", "=1+1"],
    )
    address = upload(client, content).headers["Location"]
    values = entered(client.get(address)) | {"source": "tmall", "save_as": "天猫订单"}

    check = client.post(address, values | {"action": "check"})
    assert [(row["line"], row["column"]) for row in check.context["problems"]] == [(3, "实付金额")]
    client.post(address, values | {"action": "run"})
    job = finish(Job.objects.get())

    assert job.counts == {"rows": 2, "accepted": 1, "rejected": 1, "rejected.wrong_type": 1}
    file = client.get(reverse("import_errors", args=[job.pk]))
    body = b"".join(file.streaming_content).decode("utf-8-sig").splitlines()
    assert body[0] == "line,field,code,message,订单号,手机号,下单时间,实付金额,城市"
    assert re.fullmatch(r"3,实付金额,wrong_type,[^,]+,A2,13800000001,2026-01-08,abc,'=1\+1", body[1])
    # The next file of this shape is mapped by what was saved.
    again = client.get(upload(client, content).headers["Location"])
    assert (again.context["chosen"].name, entered(again)["source"]) == ("天猫订单", "tmall")
    client.post(reverse("import_mapping_delete"), {"name": "天猫订单"})
    assert not ImportMapping.objects.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 no zip", b"\x1f\x8b no gzip", b"%PDF-1.7", b"\xd0\xcf\x11\xe0old excel", b"\r\n,,\r\n"],
)
def test_a_file_that_is_no_table_is_refused_at_the_upload(content: bytes) -> None:
    client = client_as(Role.OPERATOR)
    answer = upload(client, content)
    assert answer.status_code == 422
    assert answer.context["form"].errors["file"]
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"column-0": ""}, "number"),
        ({"column-0": "sku"}, ""),
        ({"column-1": ""}, ""),
        ({"column-2": "number"}, "number"),
        ({"column-3": ""}, ""),
        ({"column-0": "nonsense"}, ""),
        ({"source": "两个 字"}, ""),
        ({"source": ""}, ""),
        ({"currency": "元"}, ""),
        ({"save_as": "online-retail", "action": "run"}, ""),
    ],
)
def test_a_mapping_that_cannot_work_is_sent_back(change: dict[str, str], words: str) -> None:
    client = client_as(Role.OPERATOR)
    content = as_csv(["订单号", "手机号", "下单时间", "实付金额"], ["A1", "13800000001", "2026-01-08", "10"])
    address = upload(client, content).headers["Location"]
    values = entered(client.get(address)) | {"action": "check"} | change
    answer = client.post(address, values)
    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert words in answer.content.decode()
    assert not Job.objects.exists()


def test_somebody_elses_or_a_forged_upload_is_sent_back_to_the_start() -> None:
    content = as_csv(["订单号", "手机号", "下单时间", "实付金额"], ["A1", "13800000001", "2026-01-08", "10"])
    address = upload(client_as(Role.OPERATOR), content).headers["Location"]
    other = client_as(Role.OPERATOR)
    for one in (address, reverse("import_map", args=["forged"])):
        assert other.get(one).headers["Location"] == reverse("import_new")
        assert other.post(one, {"action": "run"}).headers["Location"] == reverse("import_new")


def test_roles_and_data_scopes() -> None:
    owner = client_as(Role.OPERATOR, scope=DataScope.STORE)
    content = as_csv(["订单号", "手机号", "下单时间", "实付金额"], ["A1", "13800000001", "2026-01-08", "x"])
    address = upload(owner, content).headers["Location"]
    owner.post(address, entered(owner.get(address)) | {"action": "run"})
    job = finish(Job.objects.get())
    pages = [reverse("import_detail", args=[job.pk]), reverse("import_errors", args=[job.pk])]

    assert [owner.get(one).status_code for one in pages] == [200, 200]
    everything = client_as(Role.OPERATOR)
    assert [everything.get(one).status_code for one in pages] == [200, 200]
    narrow = client_as(Role.OPERATOR, scope=DataScope.STORE)
    assert [narrow.get(one).status_code for one in pages] == [404, 404]
    assert narrow.get(reverse("import_list")).context["rows"] == []
    assert narrow.post(reverse("import_cancel", args=[job.pk])).status_code == 404
    for role in (Role.STORE_STAFF, Role.AUDITOR):
        refused = client_as(role)
        for one in [*pages, reverse("import_list"), reverse("import_new"), address]:
            assert refused.get(one).status_code == 403


def test_stopping_a_queued_import() -> None:
    client = client_as(Role.OPERATOR)
    content = as_csv(["订单号", "手机号", "下单时间", "实付金额"], ["A1", "13800000001", "2026-01-08", "1"])
    address = upload(client, content).headers["Location"]
    client.post(address, entered(client.get(address)) | {"action": "run"})
    job = Job.objects.get()

    client.post(reverse("import_cancel", args=[job.pk]))

    assert finish(job).state == JobState.CANCELLED
    assert not Order.objects.exists()


def test_kept_files_are_private(settings: Any) -> None:
    folder = Path(settings.MEDIA_ROOT, "imports")
    before = set(folder.iterdir()) if folder.exists() else set()
    upload(client_as(Role.OPERATOR), as_csv(["订单号"], ["A1"]))
    files = set(folder.iterdir()) - before
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
