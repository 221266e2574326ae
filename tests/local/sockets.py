"""What a process listens on, as the kernel sees it."""

import os
from pathlib import Path


def tcp_listeners(pid: int) -> set[str]:
    """The local addresses ("hex-address:hex-port") of a process's listening TCP sockets, IPv4 and IPv6."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1])
    return found
