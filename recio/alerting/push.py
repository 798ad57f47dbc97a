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
from requests.utils import select_proxy
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from recio.alerting.outside import Inside, pinned
from recio.alerting.push_address import GONE, INSIDE

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
    message = requests.Request(
        "POST",
        device.endpoint,
        data=keys.encrypt_webpush(_message(title, text), device.public_key, device.auth_secret),
        headers={
            "TTL": str(KEPT_FOR),
            "Urgency": URGENCY[severity],
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": f"vapid t={_token(keys, device.origin, address['contact'])}, k={keys.x962_str}",
        },
        auth=_as_signed,
    )
    try:
        status = _status_of(message, limit, may_go_inside=address["may_go_inside"])
    except Inside:
        return INSIDE
    if status in (404, 410):
        return GONE
    return "" if 200 <= status < 300 else f"it was refused (status {status})"


def _as_signed(message: requests.PreparedRequest) -> requests.PreparedRequest:
    """Or requests would put a password of ~/.netrc in the signature's place."""
    return message


def _status_of(message: requests.Request, limit: float, *, may_go_inside: bool) -> int:
    """Nothing of the answer is read but its status: it may be without an end."""
    with requests.Session() as session:
        by_name = str(message.url)
        settings = session.merge_environment_settings(by_name, {}, True, None, None)
        # A proxy looks names up by itself.
        is_free = may_go_inside or select_proxy(by_name, settings["proxies"])
        failed: requests.ConnectionError | None = None
        for message.url in [by_name] if is_free else pinned(session, by_name):
            try:
                with session.send(
                    session.prepare_request(message), timeout=limit, allow_redirects=False, **settings
                ) as answer:
                    return answer.status_code
            except requests.ConnectionError as error:
                if not _never_began(error):
                    raise
                failed = error
        raise failed or OSError("no address")


def _never_began(error: requests.ConnectionError) -> bool:
    """No connection: by another address nothing is told twice."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


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
