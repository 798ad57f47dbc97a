"""Where a device is reached by Web Push, as the one text that stands for a channel's URL; it is a secret, reads no file and sends nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PREFIX = "push:"
"""No URL of the file of channels begins so: those have ://."""
GONE = "its push service says that the subscription is over"
"""What came of a message to a device that will never be told again."""
INSIDE = "the name of its push service means this machine or its network: nothing was sent there"


def push_url(
    endpoint: str, public_key: str, auth: str, key_file: Path, contact: str, *, may_go_inside: bool = False
) -> str:
    """Keys are base64url without padding; `key_file` is that of our own private key. `may_go_inside`: for tests, whose service is here."""
    told = {"endpoint": endpoint, "public_key": public_key, "auth": auth, "may_go_inside": may_go_inside}
    return PREFIX + json.dumps(told | {"key_file": str(key_file), "contact": contact})


def is_push(url: str) -> bool:
    return url.startswith(PREFIX)


def parts(url: str) -> dict[str, Any]:
    """Of a URL that `is_push`."""
    return json.loads(url.removeprefix(PREFIX))
