"""What doctor says of the account: a key that may not order and fees rounded to cents are found before money is lost by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from recio.commands.examine_account import rounding, scopes
from recio.commands.finding import Grade
from tests.kalshi.local_venue import local_venue
from tests.kalshi.test_account_tiers import CUTOFF, tiers

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()


def key(*scopes: str, name: str = "key-1") -> dict[str, Any]:
    return {"api_key_id": name, "name": "recio", "scopes": scopes}


def fills(*fees: str, is_taker: bool = True) -> dict[str, Any]:
    return {
        "fills": [
            {
                "trade_id": f"t{number}",
                "order_id": "o",
                "ticker": "K",
                "book_side": "bid",
                "yes_price_dollars": "0.5200",
                "count_fp": "1.00",
                "fee_cost": fee,
                "is_taker": is_taker,
                "created_time": YESTERDAY,
            }
            for number, fee in enumerate(fees)
        ],
        "cursor": "",
    }


@pytest.mark.parametrize(
    ("keys", "grade", "words"),
    [
        ([key("read", "write")], Grade.GOOD, "read, write"),
        ([key("read", "write::trade"), key("read", name="another")], Grade.GOOD, "write::trade"),
        ([key("read", name="another"), key("read")], Grade.BAD, "read"),
        ([key("read", "write::transfer")], Grade.BAD, "write::transfer"),
        ([key("write")], Grade.BAD, "write"),
        ([key("read", "write", name="another")], Grade.NOTE, "does not name this one"),
    ],
)
async def test_a_key_that_may_not_order_is_bad_and_one_that_is_not_listed_is_unknown(
    keys: list[dict[str, Any]], grade: Grade, words: str
):
    async with local_venue(tiers(**{"/api_keys": {"api_keys": keys}})) as venue:
        said = await scopes(venue.rest())
    assert said.grade is grade
    assert words in said.says
    assert said.do or grade is Grade.GOOD


async def test_a_venue_that_does_not_tell_scopes_is_no_reason_to_say_that_they_are_bad():
    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"code": "forbidden", "message": "no"}}, status=403)

    async with local_venue(refuse) as venue:
        assert (await scopes(venue.rest())).grade is Grade.NOTE


@pytest.mark.parametrize(
    ("paid", "grade", "words"),
    [
        (fills("0.0175", "0.02"), Grade.GOOD, "to $0.0001"),
        (fills("0.02", "0.02", "0.05"), Grade.BAD, "to whole cents, by 3 fees"),
        (fills("0.02", "0.02"), Grade.NOTE, "2 fees in the last 30 days tell nothing"),
        (fills("0.0175", is_taker=False), Grade.NOTE, "0 fees"),
        (fills(), Grade.NOTE, "0 fees"),
    ],
)
async def test_fees_in_whole_cents_are_bad_and_too_few_tell_nothing(
    paid: dict[str, Any], grade: Grade, words: str
):
    async with local_venue(tiers(**{"/portfolio/fills": paid, "/historical/cutoff": CUTOFF})) as venue:
        said = await rounding(venue.rest())
    assert said.grade is grade
    assert words in said.says
