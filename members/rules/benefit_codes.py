"""The codes that members show: random, free of look-alikes, with a check character. Pure."""

from __future__ import annotations

import secrets

# No 0 and O, no 1, I and L. 31 is a prime, which the check character needs.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
RANDOM = 13  # characters: 31¹³ are more than 64 bits
LENGTH = RANDOM + 1
_PLACE = {character: place for place, character in enumerate(ALPHABET)}
_GROUPS = (5, 10)


def make() -> str:
    """A new code."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return text + check_character(text)


def check_character(text: str) -> str:
    """What makes Σ place · value ≡ 0 (mod 31), places counted from 1.

    Since places and values are smaller than the prime 31, every single wrong character and every exchange of two
    characters is noticed (the weighted scheme of ISBN-10, with 31 for 11).
    """
    total = sum(place * _PLACE[character] for place, character in enumerate(text, 1))
    # LENGTH · x ≡ -total, and LENGTH has an inverse modulo a prime.
    return ALPHABET[-total * pow(LENGTH, -1, 31) % 31]


def read(typed: str) -> str | None:
    """The code that somebody typed or scanned, in any case, with spaces or dashes; None when it cannot be one."""
    if len(typed) > 60:
        return None
    text = "".join(character for character in typed.upper() if character not in " -\t\r\n")
    if len(text) != LENGTH or not set(text) <= _PLACE.keys():
        return None
    return text if check_character(text[:-1]) == text[-1] else None


def spaced(code: str) -> str:
    """The code as it is shown: ABCDE-FGHJK-MNPQ."""
    return "-".join(part for part in (code[: _GROUPS[0]], code[_GROUPS[0] : _GROUPS[1]], code[_GROUPS[1] :]) if part)
