"""Sends one message to one device by Web Push (RFC 8030), encrypted for it (RFC 8291) and signed by us (RFC 8292); it runs in the sending process alone.

apprise encrypts and signs. Its own channel keeps a message for a minute at most and knows no urgency, so that a phone that
sleeps would miss what matters: the request is made here.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import requests
from apprise import AppriseAsset
from apprise.plugins.vapid.subscription import WebPushSubscription
from apprise.utils.pem import ApprisePEMController

from recio.alerting.push_address import GONE

KEPT_FOR = 3_600
"""Seconds for which a push service keeps a message for a device that is away: as long as recio tries by itself."""
TOKEN_HOLDS = 3_600
LONGEST = 2_000
"""Bytes of a text: a push service takes 4,096, encrypted and with its title."""
URGENCY = {"critical": "high", "warning": "normal", "info": "low"}


def send(address: dict[str, Any], title: str, text: str, severity: str, limit: float) -> str:
    """Why it was not sent; empty if it was taken. Raises what its libraries raise, whose words may hold an address."""
    keys: Any = ApprisePEMController("", asset=AppriseAsset(pem_autogen=False))  # typed in part only
    device: Any = WebPushSubscription()
    if not keys.load_private_key("file://" + quote(address["key_file"])):
        return "recio's own key for it cannot be read: push-key in data_dir"
    told = {
        "endpoint": address["endpoint"],
        "keys": {"p256dh": address["public_key"], "auth": address["auth"]},
    }
    if not device.load(told):
        return "it is no address of a push service: subscribe the device again"
    answer = requests.post(
        device.endpoint,
        data=keys.encrypt_webpush(_message(title, text), device.public_key, device.auth_secret),
        headers={
            "TTL": str(KEPT_FOR),
            "Urgency": URGENCY[severity],
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": f"vapid t={_token(keys, device.origin, address['contact'])}, k={keys.x962_str}",
        },
        timeout=limit,
        allow_redirects=False,
    )
    if answer.status_code in (404, 410):
        return GONE
    return "" if 200 <= answer.status_code < 300 else f"it was refused (status {answer.status_code})"


def _message(title: str, text: str) -> bytes:
    cut = text.encode()[:LONGEST].decode(errors="ignore")
    shown = text if cut == text else f"{cut} ... more on the page"
    return json.dumps({"title": title, "text": shown}, ensure_ascii=False).encode()


def _token(keys: Any, origin: str, contact: str) -> str:
    """A JSON Web Token for this push service alone."""
    claims = {"aud": origin, "exp": int(time.time()) + TOKEN_HOLDS, "sub": f"mailto:{contact}"}
    signed = ".".join(
        _encoded(json.dumps(each).encode()) for each in ({"typ": "JWT", "alg": "ES256"}, claims)
    )
    return f"{signed}.{_encoded(keys.sign(signed.encode()))}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
