"""One message to one channel, by a process of its own that is killed when it hangs; what comes back holds no address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import anyio
from pydantic import SecretStr

from recio.messages.alerts import Severity

LIMIT = 20.0
"""Host seconds for one message, from when its process has started."""
START_LIMIT = 60.0
"""Host seconds for the start: a machine that is overloaded, when somebody has to be called most, may take half a minute."""
SURROUNDINGS = ("PATH", "LANG", "LC_ALL", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")  # fmt: skip
"""All of the environment that the process gets."""


async def send(url: SecretStr, title: str, text: str, severity: Severity, limit: float = LIMIT) -> str:
    """Why it was not sent; empty if it was. The URL goes over the process's input, where nobody else can read it."""
    asked = {"url": url.get_secret_value(), "title": title, "text": text, "severity": severity.value}
    return await _ask(asked | {"limit": limit}, START_LIMIT + limit)


async def why_unknown(url: SecretStr) -> str:
    """Why this URL is none of a channel that recio can use; empty if it is one. Sends nothing."""
    return await _ask({"url": url.get_secret_value()}, START_LIMIT)


async def _ask(asked: Mapping[str, object], limit: float) -> str:
    with anyio.move_on_after(limit):
        try:
            done = await anyio.run_process(
                [sys.executable, "-m", "recio.alerting.child"],
                input=json.dumps(dict(asked)).encode(),
                stderr=subprocess.DEVNULL,
                check=False,
                env={name: os.environ[name] for name in SURROUNDINGS if name in os.environ},
            )
            return str(json.loads(done.stdout)["why"])
        except OSError as error:
            return f"its process could not be started: {error.strerror}"
        except (ValueError, KeyError, TypeError):
            return "its process ended without an answer"
    return f"no end within {limit:g} s"
