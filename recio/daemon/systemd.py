"""Tells systemd READY, STATUS and WATCHDOG over its notify socket; without one it does nothing."""

from __future__ import annotations

import os
import socket


def is_listening() -> bool:
    """Whether a service manager started us and wants to be told."""
    return os.environ.get("NOTIFY_SOCKET", "").startswith(("/", "@"))


def notify(*lines: str) -> bool:
    """Send lines such as "READY=1". Returns whether there was a socket that took them."""
    if not is_listening():
        return False
    address = os.environ["NOTIFY_SOCKET"]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            # The loop never waits for whoever should read this: a ping that finds no room is not sent.
            sender.setblocking(False)
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.send("\n".join(lines).encode())
    except OSError:
        return False
    return True
