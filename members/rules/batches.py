"""Reading a batch from a request's body, so that one bad item never loses the others.

The whole body is decoded at once; only when that fails are the items taken apart and judged one by one.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, Generic, NoReturn, TypeVar

import msgspec

from members.enums import Rejection
from members.rules.intake import Item, explain
from members.rules.rejections import ItemRejected
from scrm.common.errors import DomainError

MAX_ITEMS = 1_000
MAX_BYTES = 10 * 1024 * 1024
# Strings as a whole (also one that never ends), and the marks that structure JSON.
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
_SPACE = b" \t\r\n"
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotABatch(DomainError):
    """The body is not a JSON array."""

    code = "not_json"
    status = 400


class BatchTooLarge(DomainError):
    code = "too_large"
    status = 413


Kind = TypeVar("Kind")


class _Reader(Generic[Kind]):
    def __init__(self, kind: type[Kind]) -> None:
        self.one = msgspec.json.Decoder(kind)
        self.many = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]


_reader = functools.cache(_Reader)


def read_batch(kind: type[Item], body: bytes) -> list[Item | ItemRejected]:
    """The items of a JSON array, each read or refused, in order.

    Raises `NotABatch` (`not_json`, `not_a_list`) and `BatchTooLarge` (over 1,000 items or 10 MB).
    """
    if len(body) > MAX_BYTES:
        raise BatchTooLarge("A batch is at most 10 MB.")
    reader = _reader(kind)
    try:
        items: list[Item | ItemRejected] = reader.many.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if body.lstrip(_SPACE)[:1] != b"[":
            _refuse(body)
        items = [_read(reader, part) for part in _parts(body)]
    if len(items) > MAX_ITEMS:
        raise BatchTooLarge("A batch is at most 1,000 items.")
    return items


def _read(reader: Any, part: bytes) -> Any:
    try:
        return reader.one.decode(part)
    except msgspec.ValidationError as error:
        return explain(error)
    except RecursionError:
        return ItemRejected(Rejection.OUT_OF_RANGE)
    except UnicodeDecodeError:
        return ItemRejected(Rejection.BAD_ENCODING)
    except msgspec.DecodeError:
        return _lenient(part)


def _lenient(part: bytes) -> ItemRejected:
    """Why the strict decoder stopped: half a surrogate pair is valid JSON and only this item's fault."""
    try:
        value = json.loads(part.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return ItemRejected(Rejection.BAD_ENCODING)
    except RecursionError:
        return ItemRejected(Rejection.OUT_OF_RANGE)
    except ValueError as error:
        if "integer string conversion" in str(error):
            return ItemRejected(Rejection.OUT_OF_RANGE)
        raise NotABatch("The body is not JSON.") from error
    return ItemRejected(Rejection.FORBIDDEN_CHARACTER, _forbidden(value) or "")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _forbidden(value: Any) -> str | None:
    """The path of the first lone surrogate in decoded JSON."""
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        path, found = pending.pop()
        if isinstance(found, str) and _SURROGATE.search(found):
            return path
        if isinstance(found, dict):
            if any(_SURROGATE.search(key) for key in found):
                return path
            pending += [(f"{path}.{key}" if path else key, inner) for key, inner in found.items()]
        elif isinstance(found, list):
            pending += [(f"{path}[{index}]", inner) for index, inner in enumerate(found)]
    return None


def _parts(body: bytes) -> Iterator[bytes]:
    """The texts of a JSON array's items. Raises `NotABatch` when brackets do not match."""
    depth, start, count = 0, 0, 0
    for token in _TOKENS.finditer(body):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth == 1:
                start = token.end()
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                rest = body[start : token.start()]
                if mark != b"]" or body[token.end() :].strip(_SPACE) or (count and not rest.strip(_SPACE)):
                    raise NotABatch("The body is not JSON.")
                if rest.strip(_SPACE):
                    yield rest
                return
        elif mark == b"," and depth == 1:
            count += 1
            if count >= MAX_ITEMS:
                raise BatchTooLarge("A batch is at most 1,000 items.")
            yield body[start : token.start()]
            start = token.end()
    raise NotABatch("The body is not JSON.")


def _refuse(body: bytes) -> NoReturn:
    """Not an array: JSON of another kind, or no JSON at all."""
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise NotABatch("The body is not JSON.") from error
    raise NotABatch("The body has to be a JSON array.", code="not_a_list")
