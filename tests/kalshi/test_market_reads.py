"""What is read of markets: exactly, by the venue's own times, and what is not understood is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from aiohttp import web

from recio.errors import Transient
from recio.kalshi import markets
from recio.kalshi.fees import Fee, SeriesFees
from recio.kalshi.markets import Listing, MarketList
from recio.messages.markets import Market, StrikeType
from recio.units import Side, Ticker
from tests.kalshi.local_venue import Handler, answers, by_path, local_venue
from tests.kalshi.single_reads import one_market

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
RULES = (
    "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before"
    " 7:15 AM EST is at least the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time"
    " Index (BRTI) before 7:00 AM EST, then the market resolves to Yes."
)
MARKET = {
    "ticker": "KXBTC15M-26NOV230715-15",
    "event_ticker": "KXBTC15M-26NOV230715",
    "open_time": "2026-11-23T12:00:00Z",
    "close_time": "2026-11-23T12:15:00Z",
    "status": "active",
    "strike_type": "greater_or_equal",
    "floor_strike": 83990.12,
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    "rules_primary": RULES,
    "rules_secondary": "Not all data is the same.",
    "result": "",
    "expiration_value": "",
    "exchange_index": 2,
    "a_field_of_next_year": [1],
}
TICKER = Ticker("KXBTC15M-26NOV230715-15")


def listing(kind: str = "quadratic", multiplier: str = "1", **changes: object) -> Listing:
    fees = SeriesFees(now=Fee(kind=kind, multiplier=Decimal(multiplier)), changes=(), event_changes={})
    fields = {"series": "KXBTC15M", "symbol": "BTC", "index_id": "BRTI", "fees": fees}
    return Listing(**(fields | changes))  # type: ignore[arg-type]


def serving(*listed: object, events: list[dict[str, object]] | None = None) -> Handler:
    """A venue with these markets, closing time filters included, and their events."""

    def shown(request: web.Request) -> object:
        until = int(request.query.get("max_close_ts", "9999999999"))
        inside = [each for each in listed if _closes(each) <= until]
        return {"markets": inside, "cursor": ""}

    names = {str(each.get("event_ticker")) for each in listed if isinstance(each, dict)}
    known = events if events is not None else [{"event_ticker": name} for name in names]
    return by_path(markets=shown, events={"events": known, "cursor": ""})


def _closes(each: object) -> float:
    try:
        return datetime.fromisoformat(each["close_time"]).timestamp()  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        return 0.0


async def listed(handler: Handler, what: Listing | None = None) -> MarketList:
    async with local_venue(handler) as venue:
        return await markets.event_markets(venue.rest(), what or listing(), NOW)


async def only(handler: Handler, what: Listing | None = None) -> Market:
    (market,) = (await listed(handler, what)).markets
    return market


async def test_strikes_are_read_exactly_and_unknown_fields_pass():
    found = await listed(serving(MARKET))
    (market,) = found.markets
    assert (market.floor_strike, market.symbol, market.series_ticker) == (
        Decimal("83990.12"),
        "BTC",
        "KXBTC15M",
    )
    assert (market.untradable, market.fee_multiplier) == ("", 1)
    assert (market.rules_primary, market.rules_secondary) == (RULES, "Not all data is the same.")
    assert found.refused == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "paused_by_aliens"),
        ("strike_type", 7),
        ("close_time", "soon"),
        ("close_time", "2026-11-23T12:15:00"),
        ("open_time", None),
        ("price_ranges", [{"start": "0", "end": "1", "step": "0"}]),
        ("price_ranges", [{"start": "0", "end": "1.01", "step": "0.01"}]),
        ("price_ranges", []),
        ("price_ranges", None),
        ("floor_strike", "NaN"),
        ("cap_strike", "1e999"),
        ("rules_secondary", None),
        ("exchange_index", "2"),
        ("fee_waiver_expiration_time", 17),
        ("event_ticker", "KX\0-1"),
        ("event_ticker", "K" * 3_000),
        ("rules_primary", "If\0"),
    ],
)
async def test_a_market_that_is_not_understood_is_left_out_and_its_field_named(field: str, value: object):
    strange = {**MARKET, "ticker": "KXBTC15M-STRANGE", field: value}
    found = await listed(serving(MARKET, strange))
    assert {market.ticker for market in found.markets} == {TICKER}
    ((ticker, why),) = found.refused
    assert ticker == "KXBTC15M-STRANGE"
    assert field in why


async def test_only_the_next_two_events_by_the_venues_own_times():
    later = [
        {**MARKET, "ticker": f"E{n}-1", "event_ticker": f"E{n}", "close_time": f"2026-11-23T1{n}:30:00Z"}
        for n in (1, 3, 4)
    ]
    found = await listed(serving(*later, MARKET))
    assert {market.event_ticker for market in found.markets} == {"KXBTC15M-26NOV230715", "E3"}


@pytest.mark.parametrize("ahead", [timedelta(hours=30), timedelta(days=90)])
async def test_an_event_that_closes_far_ahead_is_found_too(ahead: timedelta):
    close = (NOW + ahead).isoformat()
    far = {**MARKET, "ticker": "FAR-1", "event_ticker": "FAR", "close_time": close}
    found = await listed(serving(MARKET, far))
    assert {market.event_ticker for market in found.markets} == {"KXBTC15M-26NOV230715", "FAR"}


async def test_a_ladder_of_290_strikes_over_several_pages_is_whole():
    ladder = [
        {**MARKET, "ticker": f"K-T{n}", "strike_type": "greater", "floor_strike": n, "rules_primary": "?"}
        for n in range(290)
    ]

    def page(request: web.Request) -> object:
        start = int(request.query.get("cursor") or 0)
        following = str(start + 100) if start + 100 < len(ladder) else ""
        return {"markets": ladder[start : start + 100], "cursor": following}

    found = await listed(by_path(markets=page, events={"events": [], "cursor": ""}))
    assert {market.floor_strike for market in found.markets} == {Decimal(n) for n in range(290)}


async def test_a_market_that_slips_from_one_page_to_the_next_is_listed_once():
    def page(request: web.Request) -> object:
        return {"markets": [MARKET], "cursor": "" if request.query.get("cursor") else "1"}

    found = await listed(by_path(markets=page, events={"events": [], "cursor": ""}))
    assert [market.ticker for market in found.markets] == [TICKER]


HOURLY = (
    "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before"
    " 7:15 AM EST is {} at 7:15 AM EST on Nov 23, 2026, then the market resolves to Yes."
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strike_type": "greater", "floor_strike": 92799.99}, "above 92799.99"),
        ({"strike_type": "less", "floor_strike": None, "cap_strike": 74200}, "below 74200"),
        ({"strike_type": "between", "floor_strike": 84600, "cap_strike": 84699.99}, "between 84600-84699.99"),
    ],
)
async def test_ladders_ranges_and_tails_are_understood(changes: dict[str, object], said: str):
    market = await only(serving({**MARKET, **changes, "rules_primary": HOURLY.format(said)}))
    assert market.untradable == ""
    assert market.strike_type is StrikeType(changes["strike_type"])
    strikes = [changes.get("floor_strike"), changes.get("cap_strike")]
    assert [market.floor_strike, market.cap_strike] == [
        None if each is None else Decimal(str(each)) for each in strikes
    ]


async def test_rules_that_say_something_else_make_it_untradable_and_the_market_stays_listed():
    market = await only(
        serving({**MARKET, "rules_primary": "If the moon is full, then the market resolves to Yes."})
    )
    assert "moon" in market.untradable
    market = await only(serving(MARKET), listing(index_id="ETHUSD_RTI"))
    assert "ETHUSD_RTI" in market.untradable


@pytest.mark.parametrize("kind", ["greater", "greater_or_equal"])
async def test_a_strike_that_is_not_known_yet_is_none_and_not_untradable(kind: str):
    unknown = {name: value for name, value in MARKET.items() if name != "floor_strike"}
    market = await only(serving({**unknown, "strike_type": kind, "status": "initialized"}))
    assert (market.floor_strike, market.untradable) == (None, "")


async def test_windows_whose_strike_is_not_set_are_listed_ahead_like_any_other():
    unset = {name: value for name, value in MARKET.items() if name not in ("strike_type", "floor_strike")}
    ahead = [
        {**unset, "ticker": f"W{n}", "event_ticker": f"E{n}", "close_time": f"2026-11-23T12:{n}:00Z"}
        for n in (30, 45)
    ]
    asked: list[str] = []
    found = await listed(noting(serving(MARKET, *ahead), asked))
    assert {market.ticker for market in found.markets} == {TICKER, "W30"}
    (next_window,) = (market for market in found.markets if market.ticker == "W30")
    assert (next_window.strike_type, next_window.floor_strike, next_window.untradable) == (
        StrikeType.UNSET,
        None,
        "",
    )
    assert len([path for path in asked if "/markets" in path]) == 1, (
        "two events are known: nothing further is read"
    )


def noting(handler: Handler, asked: list[str]) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await handler(request)

    return serve


DOGE = (
    "If there is a 60 second average of CF Benchmarks' Dogecoin Real-Time Index (DOGEUSD_RTI) before 7:15 AM EST is"
    " {} at 7:15 AM EST on Nov 23, 2026, then the market resolves to Yes."
)
SHIB = (
    "If the simple average of the 60 seconds of CF Benchmarks' Shiba Inu-Dollar Spot Rate (SHIBUSD_RTI) before"
    " 7:15 AM EST is {} at 7:15 AM EST on Nov 23, 2026, then the market resolves to Yes."
)


@pytest.mark.parametrize(
    ("index", "text", "custom", "strikes"),
    [
        ("DOGEUSD_RTI", DOGE.format("above 0.2449999"), ("greater", "0.2449999", ""), ("0.2449999", None)),
        ("DOGEUSD_RTI", DOGE.format("below 0.07"), ("less", "", "0.0700000"), (None, "0.0700000")),
        ("DOGEUSD_RTI", DOGE.format("above 0.0999999"), ("between", "0.1000000", ""), ("0.0999999", None)),
        ("DOGEUSD_RTI", DOGE.format("below 0.07"), ("between", "", "0.0699999"), (None, "0.0700000")),
        (
            "DOGEUSD_RTI",
            DOGE.format("between 0.1000000-0.1049999"),
            ("between", "0.1000000", "0.1049999"),
            ("0.1000000", "0.1049999"),
        ),
        (
            "SHIBUSD_RTI",
            SHIB.format("above 0.000013499"),
            ("greater", "0.000013499", ""),
            ("0.000013499", None),
        ),
        (
            "SHIBUSD_RTI",
            SHIB.format("between 0.000013000-0.000013499"),
            ("between", "0.000013000", "0.000013499"),
            ("0.000013000", "0.000013499"),
        ),
    ],
)
async def test_ladders_of_cheap_coins_have_their_strikes_to_the_last_decimal(
    index: str, text: str, custom: tuple[str, str, str], strikes: tuple[str | None, str | None]
):
    nested = dict(zip(("strike_type", "floor_strike", "cap_strike"), custom, strict=True))
    body = MARKET | {
        "strike_type": "custom",
        "floor_strike": None,
        "custom_strike": nested,
        "rules_primary": text,
    }
    market = await only(serving(body), listing(index_id=index))
    assert market.untradable == ""
    open_range = {(True, False): "less", (False, True): "greater"}.get((not custom[1], not custom[2]))
    assert market.strike_type == (open_range or custom[0])
    assert [None if each is None else f"{each:f}" for each in (market.floor_strike, market.cap_strike)] == [
        *strikes
    ]
    above = (
        await only(serving(body | {"rules_primary": text.replace("0.", "1.")}), listing(index_id=index))
    ).untradable
    assert "the market's strike is" in above


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        ({"strike_type": "functional", "functional_strike": "x"}, "'functional' is not read"),
        ({"strike_type": "structured", "custom_strike": {"candidate": "X"}}, "'structured' is not read"),
        ({"strike_type": "of_next_year"}, "'of_next_year' is not read"),
        ({"strike_type": "custom"}, "no kind with its levels"),
        (
            {"strike_type": "custom", "custom_strike": {"Winning Margin": "7 to 14"}},
            "no kind with its levels",
        ),
        ({"strike_type": "custom", "custom_strike": [1]}, "no kind with its levels"),
        (
            {"strike_type": "custom", "custom_strike": {"strike_type": "greater", "floor_strike": "1e5"}},
            "no kind with its levels",
        ),
        (
            {"strike_type": "custom", "custom_strike": {"strike_type": "between", "cap_strike": ""}},
            "between lacks a level",
        ),
        (
            {
                "strike_type": "custom",
                "custom_strike": {"strike_type": "less", "floor_strike": "0.1", "cap_strike": ""},
            },
            "less lacks a level",
        ),
        ({"strike_type": "custom", "custom_strike": {"strike_type": "custom"}}, "its kind is 'custom'"),
    ],
)
async def test_a_kind_of_strike_that_is_not_read_is_listed_with_the_reason_and_not_traded(
    strange: dict[str, object], why: str
):
    found = await listed(
        serving(MARKET, {**MARKET, "ticker": "KXBTC15M-STRANGE", "floor_strike": None, **strange})
    )
    by_ticker = {market.ticker: market for market in found.markets}
    assert found.refused == ()
    assert by_ticker[TICKER].untradable == ""
    market = by_ticker[Ticker("KXBTC15M-STRANGE")]
    assert why in market.untradable
    assert market.strike_type is StrikeType.UNSET


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("market_type", "scalar"),
        ("settlement_bounds_type", "floor"),
        ("settlement_bounds_type", "a word of tomorrow"),
        ("notional_value_dollars", "10.0000"),
        ("notional_value_dollars", 1),
    ],
)
async def test_a_contract_that_does_not_pay_a_dollar_or_nothing_is_listed_and_not_traded(
    field: str, value: object
):
    plain = {"market_type": "binary", "settlement_bounds_type": "default", "notional_value_dollars": "1.0000"}
    strange = {**MARKET, **plain, "ticker": "KXBTC15M-STRANGE", field: value}
    found = await listed(serving({**MARKET, **plain}, strange))
    by_ticker = {market.ticker: market.untradable for market in found.markets}
    assert found.refused == ()
    assert by_ticker[TICKER] == ""
    assert field in by_ticker[Ticker("KXBTC15M-STRANGE")]


async def test_an_unknown_kind_of_fee_is_not_known():
    assert "flat" in (await only(serving(MARKET), listing(kind="flat"))).untradable


async def test_an_events_own_fee_beats_the_series():
    event = {
        "event_ticker": MARKET["event_ticker"],
        "fee_multiplier_override": 0.5,
        "fee_type_override": None,
    }
    assert (await only(serving(MARKET, events=[event]))).fee_multiplier == Decimal("0.5")
    strange = {**event, "fee_type_override": "flat"}
    assert "flat" in (await only(serving(MARKET, events=[strange]))).untradable


async def test_a_market_whose_event_is_not_listed_has_no_known_fee():
    assert "fee is not known" in (await only(serving(MARKET, events=[]))).untradable


async def test_a_fee_waiver_counts_only_if_it_lasts_to_the_close():
    lasting = {**MARKET, "fee_waiver_expiration_time": "2026-11-23T12:15:00Z"}
    ending = {**MARKET, "fee_waiver_expiration_time": "2026-11-23T12:14:59Z"}
    assert (await only(serving(lasting))).fee_multiplier == 0
    assert (await only(serving(ending))).fee_multiplier == 1


async def test_a_settled_market_tells_its_result():
    body = {"market": {**MARKET, "status": "finalized", "result": "no", "expiration_value": "83950.62"}}
    async with local_venue(answers_json(body)) as venue:
        found = await markets.read_result(venue.rest(), TICKER)
    assert (found.result, found.settlement_value_text) == (Side.NO, "83950.62")


@pytest.mark.parametrize(
    ("result", "said", "value"),
    [
        ("yes", None, 10_000),
        ("no", "0.0000", 0),
        ("scalar", "0.3275", 3_275),
        ("void", "0.5000", 5_000),
        ("scalar", None, None),
        ("", "0.5000", None),
    ],
)
async def test_a_settled_market_tells_what_a_contract_of_yes_pays(
    result: str, said: str | None, value: int | None
):
    body = {**MARKET, "status": "finalized", "result": result, "expiration_value": ""}
    body |= {} if said is None else {"settlement_value_dollars": said}
    async with local_venue(answers_json({"market": body})) as venue:
        found = await markets.read_result(venue.rest(), TICKER)
    assert found.value == value


async def test_a_settlement_value_that_is_no_share_of_a_dollar_is_named():
    body = {
        "market": {**MARKET, "result": "scalar", "expiration_value": "", "settlement_value_dollars": "1.5000"}
    }
    async with local_venue(answers_json(body)) as venue:
        with pytest.raises(Transient, match="settlement_value_dollars"):
            await markets.read_result(venue.rest(), TICKER)


async def test_a_result_in_an_unknown_word_is_named_and_never_taken_for_none():
    body = {"market": {**MARKET, "status": "finalized", "result": "perhaps"}}
    async with local_venue(answers_json(body)) as venue:
        with pytest.raises(Transient, match=r"perhaps.*result"):
            await markets.read_result(venue.rest(), TICKER)


def answers_json(body: object) -> Handler:
    return by_path(other=body)


async def test_a_market_that_opens_while_the_list_is_read_is_not_lost():
    """A venue that filters by status would show it neither among the open nor among the unopened."""
    asked: list[str] = []

    def serve(request: web.Request) -> object:
        status = "active" if asked else "initialized"
        asked.append(request.path_qs)
        wanted = {"open": "active", "unopened": "initialized"}.get(request.query.get("status", ""), status)
        return {"markets": [{**MARKET, "status": status}] if wanted == status else [], "cursor": ""}

    found = await listed(by_path(markets=serve, events={"events": [], "cursor": ""}))
    assert [market.ticker for market in found.markets] == [TICKER]
    assert f"min_close_ts={int(NOW.timestamp())}" in asked[0]


@pytest.mark.parametrize("garbage", [7, {"ticker": 7}, {"nothing": 1}])
async def test_something_that_is_no_market_at_all_does_not_hide_the_others(garbage: object):
    found = await listed(serving(garbage, MARKET))
    assert [market.ticker for market in found.markets] == [TICKER]
    assert [ticker for ticker, _ in found.refused] == ["(no ticker)"]


async def read(**changes: object) -> Market:
    event = {"event_ticker": MARKET["event_ticker"]}
    served = by_path(events={"events": [event], "cursor": ""}, other={"market": {**MARKET, **changes}})
    async with local_venue(served) as venue:
        return await one_market(venue.rest(), TICKER, listing())


async def test_a_market_read_alone_is_the_same_market():
    market = await read(close_time="2026-11-23T07:15:00-05:00")
    assert (market.series_ticker, market.floor_strike, market.untradable) == (
        "KXBTC15M",
        Decimal("83990.12"),
        "",
    )
    assert market.close_time == datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
    assert market.close_time.tzinfo is UTC


@pytest.mark.parametrize(
    "changes",
    [
        {"price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.00001"}]},
        {"floor_strike": "NaN"},
        {"cap_strike": "Infinity"},
        {"close_time": "2026-11-23T12:15:00"},
        {"status": "of next year"},
    ],
)
async def test_a_market_read_alone_that_is_not_understood_is_transient(changes: dict[str, object]):
    with pytest.raises(Transient, match=next(iter(changes))):
        await read(**changes)


async def test_an_error_in_a_yes_is_no_list_of_markets():
    body = '{"markets":[],"events":[],"cursor":"","error":{"code":"internal_server_error"}}'
    with pytest.raises(Transient, match="internal_server_error"):
        await listed(answers(200, body))
