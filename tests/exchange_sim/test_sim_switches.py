"""What each switch of the exchange changes, and that nothing changes without it."""

from __future__ import annotations

from typing import Any

import pytest

from recio.exchange_sim.wire.rest.rules import RestRules


@pytest.mark.parametrize(("rules", "status"), [(RestRules(), 409), (RestRules(refusals_as_400=True), 400)])
async def test_a_pause_and_a_failed_fill_or_kill_are_refused_with_either_status(
    start_exchange: Any, rules: RestRules, status: int
) -> None:
    """An order that exists already stays what it is: that one is doubt."""
    client = await start_exchange(quiet_traders=True, rest=rules)
    ticker = await client.open_ticker()
    got, body = await client.order(ticker, "bid", "0.5000", "1", time_in_force="fill_or_kill")
    assert (got, body["error"]["code"]) == (status, "fill_or_kill_insufficient_resting_volume")
    assert (await client.order(ticker, "bid", "0.5000", "1", client_order_id="one"))[0] == 201
    assert (await client.order(ticker, "bid", "0.5000", "1", client_order_id="one"))[0] == 409
    await client.plain("POST", "/admin/faults", {"kind": "trading_pause", "seconds": 60})
    got, body = await client.order(ticker, "bid", "0.5000", "1")
    assert (got, body["error"]["code"]) == (status, "trading_is_paused")
    await client.plain("POST", "/admin/faults", {"kind": "exchange_pause", "seconds": 60})
    got, body = await client.request("DELETE", "/portfolio/events/orders")
    assert (got, body["error"]["code"]) == (status, "exchange_is_paused")
