"""Fetches one wheel from a package index with the standard library only: for a Python that has no pip."""

import configparser
import hashlib
import html.parser
import io
import os
import platform
import ssl
import stat
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile

PYPI = "https://pypi.org/simple"


class FetchError(Exception):
    """The wheel cannot be had; the message is one line."""


def pip_setting(name: str) -> "str | None":
    """One of pip's [global] settings: from its environment variable or its configuration files."""
    found = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if found:
        return found
    home = os.path.expanduser("~")
    configured = os.environ.get("XDG_CONFIG_HOME", os.path.join(home, ".config"))
    places = [os.environ.get("PIP_CONFIG_FILE", ""), os.path.join(configured, "pip", "pip.conf")]
    places += [os.path.join(home, ".pip", "pip.conf"), "/etc/xdg/pip/pip.conf", "/etc/pip.conf"]
    for place in places:
        parser = configparser.RawConfigParser()
        if place and parser.read(place) and parser.has_option("global", name):
            return parser.get("global", name)
    return None


def index_address() -> str:
    """The simple index that pip would use."""
    return (pip_setting("index-url") or PYPI).rstrip("/")


def platform_marks() -> "list[tuple[str, str]]":
    """What a wheel's platform tag must contain to run here: any one group of these."""
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if sys.platform == "linux" else "arm64"}.get(machine, machine)
    if sys.platform == "darwin":
        return [("macosx", machine), ("macosx", "universal2")]
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return [(libc, machine)]


class Links(html.parser.HTMLParser):
    """Collects the addresses of a simple index page."""

    def __init__(self) -> None:
        super().__init__()
        self.found = []  # type: list[str]

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, str | None]]") -> None:
        """Note each link's target."""
        self.found.extend(value for key, value in attrs if tag == "a" and key == "href" and value)


def download(address: str) -> bytes:
    """The bytes behind an address, through the environment's proxies and certificates."""
    certificates = pip_setting("cert") or os.environ.get("SSL_CERT_FILE")
    context = ssl.create_default_context(cafile=certificates if certificates else None)
    try:
        with urllib.request.urlopen(address, timeout=120, context=context) as answer:  # noqa: S310
            return bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise FetchError("cannot reach {} ({}); is there a network?".format(address.split("#")[0], reason)) from error


def fetch(name: str, version: str, target: str) -> None:
    """Download the wheel of `name` for this machine, check its hash and unpack it into `target`."""
    page = f"{index_address()}/{name}/"
    links = Links()
    links.feed(download(page).decode("utf-8", "replace"))
    prefix = "{}-{}-".format(name.replace("-", "_"), version)
    for link in links.found:
        address = urllib.parse.urljoin(page, link)
        plain, _, fragment = address.partition("#")
        file_name = urllib.parse.unquote(plain.rsplit("/", 1)[-1])
        fits = any(all(mark in file_name for mark in marks) for marks in platform_marks())
        if not (file_name.startswith(prefix) and file_name.endswith(".whl") and fits):
            continue
        content = download(plain)
        expected = fragment.partition("sha256=")[2]
        if expected and hashlib.sha256(content).hexdigest() != expected:
            raise FetchError(f"{file_name} was damaged on its way")
        unpack(content, name, version, target)
        return
    raise FetchError(f"{index_address()} has no {name} {version} for this machine")


def unpack(content: bytes, name: str, version: str, target: str) -> None:
    """Unpack a wheel like pip does: the scripts of its .data folder go to bin/ and may be executed."""
    scripts = "{}-{}.data/scripts/".format(name.replace("-", "_"), version)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            inside = entry.filename
            if inside.startswith(scripts):
                inside = "bin/" + inside[len(scripts) :]
            path = os.path.normpath(os.path.join(target, inside))
            if not path.startswith(os.path.normpath(target) + os.sep) or inside.endswith("/"):
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(archive.read(entry))
            if inside.startswith("bin/") or (entry.external_attr >> 16) & stat.S_IXUSR:
                os.chmod(path, 0o755)  # noqa: S103 (programs)
