"""What `recio doctor` looks at on the machine around recio: swap, restarts by upgrades, ssh and upgrades; it changes nothing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import anyio

from recio.commands.finding import Finding, Grade, good, judged
from recio.settings.config import Config
from recio.times import NEW_YORK

ROOT = Path("/")
SMALL_MEMORY = 1_500_000
"""kB of memory below which a machine needs swap: a backup and a migration beside the daemon take their part."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PAUSE_DAY, PAUSE_BEGINS, PAUSE_ENDS = 3, 3, 5
"""Of the venue's weekly pause, in New York: Thursday from three to five o'clock."""
DAYS_OF_A_YEAR = 366
NO_PASSWORDS, ROOT_BY_KEY = {"no"}, {"no", "prohibit-password", "without-password", "forced-commands-only"}


async def host(_config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    """Nothing here stops recio from trading, so that nothing is worse than a note."""
    for each in (swap(ROOT), *needrestart(ROOT), *ssh(ROOT)):
        yield each
    if shutil.which("apt-config") is not None:
        yield upgrades(await _apt_settings())


def swap(root: Path) -> Finding:
    sizes = dict(re.findall(r"^(\w+): +(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE))
    memory, swapped = int(sizes["MemTotal"]), int(sizes["SwapTotal"])
    return judged(
        "swap",
        f"{memory / 1e6:.1f} GB of memory, {swapped / 1e6:.1f} GB of swap",
        is_good=memory >= SMALL_MEMORY or swapped > 0,
        do="fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile, and a line in /etc/fstab",
        otherwise=Grade.NOTE,
    )


def needrestart(root: Path) -> Iterator[Finding]:
    """It restarts services after an upgrade of their libraries, at any hour."""
    place = root / "etc/needrestart"
    if not place.is_dir():
        return
    told = "".join(each.read_text(errors="replace") for each in _readable(place.glob("**/*.conf")))
    kept = {
        name
        for name in ("recio", "postgresql")
        if re.search(rf"^[^#\n]*\^?{name}[^\n]*= *0", told, re.MULTILINE)
    }
    yield judged(
        "needrestart",
        "leaves recio and PostgreSQL running"
        if len(kept) == 2
        else "may restart recio or PostgreSQL at any hour",
        is_good=len(kept) == 2,
        do="$nrconf{override_rc}{qr(^(recio|postgresql))} = 0; in /etc/needrestart/conf.d/recio.conf",
        otherwise=Grade.NOTE,
    )


def ssh(root: Path) -> Iterator[Finding]:
    place = root / "etc/ssh"
    if not (place / "sshd_config").exists():
        return
    files = [*sorted((place / "sshd_config.d").glob("*.conf")), place / "sshd_config"]
    hidden = [each for each in files if not os.access(each, os.R_OK)]
    said: dict[str, str] = {}
    for each in _readable(iter(files)):
        for name, value in _sshd_settings(each.read_text(errors="replace")):
            said.setdefault(name, value)  # the first one counts
    passwords = said.get("passwordauthentication", "yes")
    root_login = said.get("permitrootlogin", "prohibit-password")
    if hidden:
        says = f"{hidden[0]} is not for this account to read"
        yield Finding(
            name="ssh",
            grade=Grade.NOTE,
            says=says,
            do="sudo sshd -T | grep -iE 'passwordauth|permitrootlogin'",
        )
        return
    yield judged(
        "ssh",
        f"passwords: {passwords}; root: {root_login}",
        is_good=passwords in NO_PASSWORDS and root_login in ROOT_BY_KEY,
        do="PasswordAuthentication no and PermitRootLogin no in /etc/ssh/sshd_config.d/10-keys.conf, once your key lets you in",
        otherwise=Grade.NOTE,
    )


def _sshd_settings(text: str) -> Iterator[tuple[str, str]]:
    """Up to the first block that holds for some only."""
    for line in text.splitlines():
        words = re.split(r"[ \t=]+", line.strip().lower(), maxsplit=1)
        if words[0] == "match":
            return
        if len(words) == 2 and not words[0].startswith("#"):
            yield words[0], words[1].strip('"')


def upgrades(settings: Mapping[str, str]) -> Finding:
    is_on = settings.get("APT::Periodic::Unattended-Upgrade", "0") not in ("", "0")
    restarts = settings.get("Unattended-Upgrade::Automatic-Reboot", "false") in ("true", "1", "yes")
    at = settings.get("Unattended-Upgrade::Automatic-Reboot-Time", "now")
    days = settings.get("Unattended-Upgrade::Update-Days::", "any day")
    if not is_on:
        do = "apt-get install unattended-upgrades, then deploy/install.sh again"
        return Finding(name="upgrades", grade=Grade.NOTE, says="none comes by itself", do=do)
    if not restarts:
        return good("upgrades", "come by themselves; the machine is never restarted for one")
    return judged(
        "upgrades",
        f"come by themselves; the machine may be restarted: {days}, {at}",
        is_good=_is_in_the_pause(days, at),
        do="the venue pauses on Thursdays 03:00 to 05:00 in New York: deploy/install.sh sets that by the machine's zone (52recio in /etc/apt/apt.conf.d)",
        otherwise=Grade.NOTE,
    )


def _is_in_the_pause(day: str, at: str) -> bool:
    """Whether this hour of the week, by the machine's own clock, is within the venue's weekly pause all year."""
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", at) is None:
        return False
    hour, minute = int(at[:2]), int(at[3:])
    today = (
        datetime.now().astimezone().replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None)
    )
    year = [today + timedelta(days=number) for number in range(DAYS_OF_A_YEAR)]
    restarts = [each.astimezone(NEW_YORK) for each in year if DAYS[each.weekday()] == day]
    return bool(restarts) and all(
        each.weekday() == PAUSE_DAY and PAUSE_BEGINS <= each.hour < PAUSE_ENDS for each in restarts
    )


async def _apt_settings() -> dict[str, str]:
    with suppress(OSError, TimeoutError):
        with anyio.fail_after(10):
            said = (await anyio.run_process(["apt-config", "dump"], check=False)).stdout.decode(
                errors="replace"
            )
        return dict(re.findall(r'^(\S+) "(.*)";$', said, re.MULTILINE))
    return {}


def _readable(files: Iterator[Path]) -> Iterator[Path]:
    return (each for each in files if each.is_file() and os.access(each, os.R_OK))
