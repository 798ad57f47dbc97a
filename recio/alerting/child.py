"""Sends one message by one channel, in a process of its own: asked on its input, answering on its output, and never saying an address.

Whatever the library or a sink does (hangs, logs an address, takes memory), it does here and not in the daemon.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyType

from recio.alerting.push_address import is_push, parts

STATUS = re.compile(r"\berror=(\d{3})\b")
NOT_KNOWN = "it is no channel that recio knows: see docs/operate/alerts.md for the form of its URL"
KINDS = {"critical": NotifyType.FAILURE, "warning": NotifyType.WARNING, "info": NotifyType.INFO}


def main() -> None:
    asked: dict[str, Any] = json.loads(sys.stdin.read())
    codes: list[str] = []
    logger = logging.getLogger("apprise")
    logger.handlers[:], logger.propagate = [logging.NullHandler()], False
    logger.addFilter(lambda record: _keep_status(record, codes))
    try:
        why = answer(asked, codes)
    except Exception as error:  # noqa: BLE001 - its words may hold an address: only its kind is told
        why = f"it failed with {type(error).__name__}"
    sys.stdout.write(json.dumps({"why": why}))


def _end_after(seconds: float) -> None:
    """From here on; no handler of the library's can swallow it."""

    def end(*_: object) -> None:
        os.write(1, json.dumps({"why": f"no end within {seconds:g} s"}).encode())
        os._exit(0)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def answer(asked: dict[str, Any], codes: list[str]) -> str:
    """Why it was not sent; empty if it was, or if it was only asked whether it could be."""
    if is_push(asked["url"]):
        return _pushed(asked)
    asset = AppriseAsset(app_id="recio", app_desc="recio", app_url="", image_url_mask="", image_url_logo="")
    sender: Any = Apprise(asset=asset)  # its types are known in part only
    if not sender.add(asked["url"]):
        return NOT_KNOWN
    if "text" not in asked:
        return ""
    # Only now are all of the library's files read: what that took says nothing of the channel.
    _end_after(asked["limit"])
    if sender.notify(body=asked["text"], title=asked["title"], notify_type=KINDS[asked["severity"]]):
        return ""
    return f"it was refused (status {codes[-1]})" if codes else "it was not reached"


def _pushed(asked: dict[str, Any]) -> str:
    from recio.alerting import push  # only here: a channel of another kind needs none of it

    _end_after(asked["limit"])
    try:
        return push.send(
            parts(asked["url"]), asked["title"], asked["text"], asked["severity"], asked["limit"]
        )
    except OSError:  # what requests raises is one as well
        return "it was not reached"


def _keep_status(record: logging.LogRecord, codes: list[str]) -> bool:
    """Keeps the status codes out of what the library says, and nothing else of it: its words may hold an address."""
    codes += STATUS.findall(record.getMessage())
    return False


if __name__ == "__main__":
    main()
