"""`python -m benchmarks [NAME…]`: runs benchmarks by name, all of them when none is named.

SIZE=1M or 10M sets how many members the data has. Each benchmark is a module with `main(size)`, which prints
its figures and, as its last line, `BENCH {"name": …, "ratios": …, "figures": …}`.
"""

import importlib
import os
import sys
from pathlib import Path

import django


def available() -> list[str]:
    """The names of all benchmarks."""
    modules = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in modules if "def main(" in path.read_text() and path.stem != "__main__")


def members(size: str) -> int:
    """A size as people write it (1M, 200K, 5000) as a number of members."""
    units = {"K": 1_000, "M": 1_000_000}
    text = size.strip().upper()
    return int(float(text[:-1]) * units[text[-1]]) if text[-1:] in units else int(text)


def main(names: list[str]) -> int:
    """Run the benchmarks called `names`; 2 when there is none of a name."""
    known = available()
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        size = members(os.environ.get("SIZE", "1M"))
    except (ValueError, IndexError):
        print(f"SIZE must be a number like 1M, not {os.environ['SIZE']!r}", file=sys.stderr)
        return 2
    django.setup()
    for name in names or known:
        importlib.import_module(f"benchmarks.{name}").main(size)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
