"""What may be attached to a correction by hand: a PDF or a picture, told by its first bytes, not by its name."""

from __future__ import annotations

LARGEST_BYTES = 5 * 2**20
LONGEST_NAME = 120
_STARTS = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_ENDINGS = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg"}


def type_of(start: bytes) -> str | None:
    """The media type that a file's beginning shows; None for what is not taken."""
    return next((kind for sign, kind in _STARTS.items() if start.startswith(sign)), None)


def file_name(name: str, media_type: str) -> str:
    """A name that is safe to offer for saving: printable, without folders, with the ending of what the file is."""
    plain = "".join(
        char for char in name.replace("\\", "/").rpartition("/")[2] if char.isprintable() and char not in '"<>|:*?'
    )
    stem = plain.rpartition(".")[0] or plain or "attachment"
    ending = _ENDINGS[media_type]
    return stem[: LONGEST_NAME - len(ending)] + ending
