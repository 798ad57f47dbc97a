"""A request that was given up does not arrive later than the proof of absence waits for it."""

from __future__ import annotations

import socket
import sys

import aiohttp
import anyio
import pytest

from recio.clock import Clock
from recio.kalshi.connections import connector
from recio.kalshi.orders import place
from recio.kalshi.rest import KalshiRest
from recio.messages.orders import OrderUnknown
from recio.rules.account.reconcile import SLACK_SECONDS
from tests.kalshi.deaf_sockets import deafen, hear, unconfirmed
from tests.kalshi.local_venue import SIGNER, plenty
from tests.kalshi.test_place_order import ORDER


@pytest.mark.skipif(sys.platform != "linux", reason="sockets are told how long to try on Linux")
async def test_an_order_that_the_network_lost_and_its_sender_gave_up_is_not_sent_again_by_the_system():
    """It was, for minutes: 12.6 s after an order that counted as never arrived, it was filled."""
    with socket.create_server(("127.0.0.1", 0)) as venue:
        deafen(venue)
        async with aiohttp.ClientSession(connector=connector()) as session:
            rest = KalshiRest(
                session=session,
                base_url=f"http://127.0.0.1:{venue.getsockname()[1]}/trade-api/v2",
                signer=SIGNER,
                clock=Clock(),
                timeout_seconds=0.3,
                limits=plenty(),
            )
            assert isinstance(await place(rest, ORDER), OrderUnknown)
        accepted, client = venue.accept()
        with accepted:
            assert unconfirmed(client[1])
            with anyio.fail_after(SLACK_SECONDS):
                while unconfirmed(client[1]):  # noqa: ASYNC110 - the system has no event of that
                    await anyio.sleep(0.02)
            hear(accepted)
            accepted.setblocking(False)
            with pytest.raises(BlockingIOError):
                accepted.recv(1)
