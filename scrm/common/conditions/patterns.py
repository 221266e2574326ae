"""Regular expressions from outside: what PostgreSQL takes, without what makes its engine explode.

Its automaton is linear for plain repetition (`*`, `+`, `?`, however nested), but counted repeats are copied out before
matching, looking around runs a second automaton at every character, and references back have to be guessed.
"""

from __future__ import annotations

import re
from functools import lru_cache

from django.db import DataError, connection, transaction
from django.utils.translation import gettext as _

LONGEST = 100
# How many characters all counted repeats of a pattern may stand for together: `\d{4}-\d{2}` is 6, `(ab){5}` is 10.
MOST_REPEATED = 60

_TOKEN = re.compile(
    r"""(?P<escape>\\.) | (?P<set>\[\^?\]?(?:\\.|\[[:.=].*?[:.=]\]|[^\]\\])*\]) | (?P<special>\(\?(?!:)|\*\*\*)
      | (?P<open>\((?:\?:)?) | (?P<close>\)) | (?P<count>\{(?P<low>\d+)(?P<comma>,?)(?P<high>\d*)\}) | (?P<loop>[*+?])
      | (?P<atom>.)""",
    re.VERBOSE | re.DOTALL,
)


def check(text: str) -> str:
    """The pattern, when it may be used. Raises `ValueError`."""
    if len(text) > LONGEST:
        raise ValueError(_("A pattern is at most %(count)s characters long.") % {"count": LONGEST})
    if _repeated(text) > MOST_REPEATED:
        raise ValueError(_("The pattern repeats too much."))
    _compile(text)
    return text


def _repeated(text: str) -> int:
    """How many characters the counted repeats stand for. Raises `ValueError` for what is not allowed at all."""
    # Per open group: the characters outside and inside counted repeats so far, and those of the last piece.
    groups = [(0, 0)]
    last = (0, 0)
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "special":
                raise ValueError(_("Looking ahead or behind cannot be used in a pattern."))
            case "escape" if token.group().lstrip("\\").isdigit():
                raise ValueError(_("References back cannot be used in a pattern."))
            case "open":
                groups[-1] = _sum(groups[-1], last)
                groups.append((0, 0))
                last = (0, 0)
            case "close":
                inside = _sum(groups.pop(), last)
                groups = groups or [(0, 0)]
                last = inside
            case "count" | "low" | "comma" | "high":
                times = int(token["high"] or token["low"]) + (1 if token["comma"] and not token["high"] else 0)
                last = (0, sum(last) * times)
            case "loop":
                pass
            case _:
                groups[-1] = _sum(groups[-1], last)
                last = (1, 0)
    total = last
    for group in groups:
        total = _sum(total, group)
    return total[1]


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


@lru_cache(maxsize=1_000)
def _compile(text: str) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT '' ~ %s", [text])
    except DataError:
        raise ValueError(_("Not a valid pattern.")) from None
