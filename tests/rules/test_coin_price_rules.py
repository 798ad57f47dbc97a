"""One coin's price: the index while it is fresh, the sources at the index's level when it is gone, two memories."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from recio.messages.prices import IndexHistory, IndexValue, PriceView, SourceState
from recio.rules.price.coin_price import INDEX, Coin, CoinMemory
from recio.rules.price.consensus import Panel, hears
from recio.rules.price.price_sources import Heard, Limits
from recio.rules.price.volatility import PriceMemory
from tests.builders import NOW

LIMITS = Limits(silence_seconds=15, frozen_seconds=20, fresh_seconds=5, divergence_bp=Decimal(20))


def coin() -> Coin:
    return Coin(
        symbol="BTC",
        index_id="BRTI",
        use_index=True,
        limits=LIMITS,
        traded=CoinMemory(PriceMemory(warmup_seconds=30)),
        index=CoinMemory(PriceMemory(warmup_seconds=30)),
        panel=Panel(sources={name: Heard(source=name) for name in ("coinbase", "kraken")}),
    )


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def hear(known: Coin, second: int, price: Decimal) -> None:
    for source in known.panel.sources:
        known.panel = hears(known.panel, source, price, at(second), at(second), LIMITS)


def prints(second: int, value: Decimal) -> IndexHistory:
    made = IndexValue(
        sid=1,
        seq=second,
        index_id="BRTI",
        value=value,
        at=at(second),
        received_at=at(second),
        final_minute_mean=None,
    )
    return IndexHistory(prints={"BRTI": (made,)})


def lived(known: Coin, seconds: range, above_bp: int = 0) -> PriceView:
    """Both sources stand so far above an index that goes up a dollar a second."""
    view: PriceView | None = None
    for second in seconds:
        index = Decimal(84_000 + second)
        hear(known, second, (index * (1 + Decimal(above_bp) / 10_000)).quantize(Decimal("0.01")))
        known.hear_index(prints(second, index), at(second))
        view, _ = known.judge(at(second))
    assert view is not None
    return view


def test_the_index_is_the_price_while_it_is_fresh():
    view = lived(coin(), range(3), above_bp=5)
    assert (view.tick.source, view.tick.price, view.tick.at) == (INDEX, Decimal(84_002), at(2))
    assert view.unreliable == ""


def test_prints_that_were_missed_and_read_later_complete_the_last_minute_and_change_nothing_else():
    """The settlement is the mean of the minute's prints: a restart within it can know them all again."""
    whole, known = coin(), coin()
    lived(whole, range(100))
    lived(known, range(60))
    lived(known, range(80, 100))
    before, _ = known.judge(at(99))
    missed = tuple(
        each
        for second in range(100)
        for each in prints(second, Decimal(84_000 + second) if 60 <= second < 80 else Decimal(1)).prints[
            "BRTI"
        ]
    )
    known.hear_index(IndexHistory(prints={"BRTI": missed}), at(99))
    view, _ = known.judge(at(99))
    expected, _ = whole.judge(at(99))
    assert before is not None and view is not None and expected is not None  # noqa: PT018
    assert len(before.last_minute) == 60
    assert view.last_minute == expected.last_minute
    assert (view.tick, view.volatility) == (before.tick, before.volatility)


def test_the_price_does_not_jump_when_the_index_falls_silent_although_the_sources_lie_above_it():
    known = coin()
    lived(known, range(900), above_bp=5)
    hear(known, 910, Decimal("84899") * (1 + Decimal(5) / 10_000))
    view, sources = known.judge(at(910))
    assert view is not None
    assert (view.tick.source, view.unreliable) == ("coinbase and kraken", "")
    assert abs(view.tick.price - 84_899) < 8  # of the 42 dollars that they lie above
    index = sources[-1]
    assert (index.state, index.note) == (SourceState.SILENT, "its newest print is 11 s old")


def test_index_and_sources_are_remembered_apart():
    known = coin()
    lived(known, range(100), above_bp=0)
    hear(known, 130, Decimal(84_099))
    view, _ = known.judge(at(130))
    assert view is not None
    assert view.tick.source != INDEX
    assert {second for second, _ in known.prints} == {
        int(at(second).timestamp()) for second in range(40, 100)
    }
    assert view.last_minute == known.traded.minute != tuple(known.prints)


def test_volatility_is_that_of_the_sources_until_the_index_is_known_long_enough():
    known = coin()
    for second in range(60):
        hear(known, second, Decimal(84_000 + second % 7))
        known.judge(at(second))
    view = lived(known, range(60, 70))
    assert view.volatility == known.traded.volatility is not None
    view = lived(known, range(70, 120))
    assert view.volatility == known.index.volatility is not None


def test_no_source_and_no_index_is_no_price():
    view, sources = coin().judge(NOW)
    assert view is None
    assert {each.state for each in sources} == {SourceState.CONNECTING}
