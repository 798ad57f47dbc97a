"""The file of channels: read, and refused where it is not what it should be; an address in it is a secret and is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from recio.errors import BadConfig, of_the_machine
from recio.messages.alerts import Severity
from recio.settings.file_access import gone_with_its_unit, others_with_access

PING = "ping"
DAEMON = "daemon"
"""The check of the daemon itself, among the pings."""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
LONGEST_FILE = 65_536
NO_CHANNEL = "alerts.channels_path names no channel"
"""Of a path that is empty and of a file that has none, as the one that an installation writes."""
FORM = 'write NAME, then "critical", "warning", "info" or "ping", then the URL'


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One way to somebody; its URL is a secret."""

    name: str
    least: Severity
    url: SecretStr

    def takes(self, severity: Severity) -> bool:
        return severity.rank <= self.least.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """What the file names; `pings` by the name of the check."""

    channels: tuple[Channel, ...] = ()
    pings: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr])


def read_channels(path: str) -> Channels:
    """Of `alerts.channels_path`; none where it is empty. Raises BadConfig naming the line, never what stands in it."""
    return Channels() if not path else _channels(list(_lines(Path(path))))


def channels_in(raw: bytes, source: str) -> Channels:
    """Of a file that somebody else has read, named `source` in errors. Raises BadConfig as `read_channels` does."""
    return _channels(list(_told(raw, source, source)))


def _channels(lines: list[tuple[str, str]]) -> Channels:
    channels: dict[str, Channel] = {}
    pings: dict[str, SecretStr] = {}
    for place, line in lines:
        name, kind, url = _fields(place, line)
        if name in (pings if kind == PING else channels):
            raise BadConfig(f"{place}: {name} stands there twice: give each a name of its own")
        if kind == PING:
            pings[name] = url
        else:
            channels[name] = Channel(name=name, least=Severity(kind), url=url)
    return Channels(channels=tuple(channels.values()), pings=pings)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    named = f"alerts.channels_path = {str(path)!r}"
    try:
        if not path.is_file():
            fix = gone_with_its_unit(path) or f"{FORM}, one channel on each line"
            raise BadConfig(f"{named} is not a file: {fix}")
        if others := others_with_access(path):
            raise BadConfig(
                f"{named} is readable by others ({', '.join(others)}), and its URLs are secrets; run: chmod 600 '{path}'"
            )
        with path.open("rb") as stream:
            raw = stream.read(LONGEST_FILE + 1)
    except OSError as error:
        raise of_the_machine(f"{named}: {error.strerror}; it must be readable by this user", error) from error
    yield from _told(raw, named, str(path))


def _told(raw: bytes, named: str, path: str) -> Iterator[tuple[str, str]]:
    """Each line that says something, with its place."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadConfig(f"{named} is not UTF-8 text: save it as UTF-8") from None
    if len(raw) > LONGEST_FILE:
        raise BadConfig(f"{named} is longer than {LONGEST_FILE:,} bytes: it is no list of channels")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield f"{path} line {number}", line.strip()


def _fields(place: str, line: str) -> tuple[str, str, SecretStr]:
    fields = line.split(maxsplit=2)
    if len(fields) != 3:
        raise BadConfig(f"{place} has {len(fields)} words: {FORM}")
    name, kind, url = fields
    if not NAME.fullmatch(name):
        raise BadConfig(f"{place}: its name is not one of small letters, digits, - and _: {FORM}")
    if kind not in (PING, *Severity):
        raise BadConfig(f"{place} ({name}): its second word is none of critical, warning, info, ping: {FORM}")
    if not URL.fullmatch(url):
        raise BadConfig(
            f"{place} ({name}): its third word is no URL of one word, as https://host/path: {FORM}"
        )
    if kind == PING and not url.lower().startswith(("http://", "https://")):
        raise BadConfig(f"{place} ({name}): a ping goes to a URL that begins with https://")
    return name, kind, SecretStr(url)
