"""Questions to a running SCRM."""

import errno
import http.client
import os
import socket
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from scrm.local.errors import LocalError


def check_port(host: str, port: int) -> None:
    """Raise LocalError unless a server may listen on this port."""
    if not 0 < port < 65536:
        raise LocalError(f"PORT must be between 1 and 65535, not {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LocalError(
                    f"port {port} is taken by another program; choose another one: make run PORT={port + 1}"
                ) from error
            raise LocalError(f"cannot listen on port {port}: {error.strerror}") from error


def status(address: str, headers: Mapping[str, str] | None = None) -> int:
    """The HTTP status of a page on this machine, without following redirects; 0 when nobody answers."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", parts.path or "/", headers=dict(headers or {}))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def probe_from_container(address: str) -> int:
    """Exit code for a container's health check: asks like the proxy in front would."""
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    return 0 if status(address, {"Host": host, "X-Forwarded-Proto": "https"}) == 200 else 1


if __name__ == "__main__":
    sys.exit(probe_from_container(sys.argv[1]))
