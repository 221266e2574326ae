"""Questions to a running SCRM."""

import errno
import socket
import urllib.error
import urllib.request

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


def answers(address: str) -> bool:
    """Whether a web server at `address` answers at all, whatever it says."""
    try:
        with urllib.request.urlopen(address, timeout=10):  # noqa: S310 (our own loopback address)
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
