"""`python -m benchmarks.evidence`: scores the models on the development recordings and writes docs/evidence.md, whatever it says.

It knows how those recordings are laid out and turns each into what `recio score` takes; nothing of them is kept.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import Path

from benchmarks import two_normals
from recio.commands.model import make
from recio.rules.pricing.empirical import EmpiricalTable
from recio.rules.pricing.model import Model, average
from recio.score import plots
from recio.score.claims import claims, sentences
from recio.score.quotes import (
    CoinPrice,
    MarketOutcome,
    MarketQuote,
    Quotes,
    dollars,
    from_quotes,
    market_of,
)
from recio.score.scores import Scores, score
from recio.score.sessions import from_sessions
from recio.score.text import lines
from recio.settings.config import Config
from recio.settings.trading import ModelKind
from tests.score import simulated_closes

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("RECIO_DATA", ROOT.parent / "shared" / "data"))
PAGE = ROOT / "docs" / "evidence.md"
DRAWINGS = ROOT / "docs" / "evidence"
WINDOW = timedelta(minutes=15)
SAID, COVERED = "{said}\n", "{covered}\n"
DRAWS = 150
"""Simulated recordings behind each figure of coverage."""
AVERAGE = "average"
BESIDE = ((AVERAGE, two_normals.NAME),)
"""The model in use against the one that it replaced."""
COINS = ("btc", "eth", "sol", "xrp")


def main() -> None:
    built = make([DATA / "btc_1m_2022_2024"], "BTC")
    config = Config()
    parts = {
        "May 2026, one-second tickers": tickers(config, built.table),
        "May 2026, whole order books": sessions(config, built.table),
        "February 2026, four coins every two seconds": two_seconds(config, built.table, COINS),
    }
    DRAWINGS.mkdir(exist_ok=True)
    first = next(iter(parts.values()))
    (DRAWINGS / "calibration.svg").write_text(plots.calibration(first), encoding="utf-8")
    (DRAWINGS / "log-loss-by-time.svg").write_text(plots.loss_by_time(first), encoding="utf-8")
    PAGE.write_text(page(parts), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")


def page(parts: dict[str, Scores]) -> str:
    head = (ROOT / "benchmarks" / "evidence_head.md").read_text(encoding="utf-8")
    said = "".join(f"- {each}\n" for each in sentences(claims(parts)))
    body = "".join("\n".join(["", f"## {name}", "", *lines(scores), ""]) for name, scores in parts.items())
    return head.replace(SAID, said).replace(COVERED, covered()) + body


def covered() -> str:
    """How often each method holds the truth where the truth is known."""
    return (
        "\n".join(
            [
                *simulated_closes.table(DRAWS),
                "",
                (DRAWINGS / "windows.md").read_text(encoding="utf-8").rstrip(),
            ]
        )
        + "\n"
    )


def models(config: Config, table: EmpiricalTable) -> dict[str, Model]:
    trading = average(config.model)
    return {
        AVERAGE: trading,
        "empirical": Model(kind=ModelKind.EMPIRICAL, tables={table.symbol: table}),
        **two_normals.parts(trading),
    }


def sessions(config: Config, table: EmpiricalTable) -> Scores:
    every = models(config, table)
    seen = from_sessions([DATA / "kalshi_btc15m_ws_dev"], config, every[AVERAGE], every)
    return score(list(two_normals.mixed(seen.observations)), seen.trades, seen.without_outcome, beside=BESIDE)


def tickers(config: Config, table: EmpiricalTable) -> Scores:
    folder = DATA / "kalshi_btc15m_tickers_202605"
    quotes = heapq.merge(
        _by_time(_matches(folder / "coinbase_matches_all_dev.csv.gz")),
        _by_time(_tickers(folder / "tickers_dev.csv.gz")),
        key=itemgetter(0),
    )
    return _scored(quotes, _settled(), config, table)


def two_seconds(config: Config, table: EmpiricalTable, coins: tuple[str, ...]) -> Scores:
    rows = list(_rows(DATA / "kalshi_btc15m_quotes_2s_20260225" / "features_2s.csv.gz"))
    return _scored(_two_second_tape(rows, coins), _by_next_strike(rows, coins), config, table)


def _scored(
    quotes: Quotes, markets: dict[str, MarketOutcome], config: Config, table: EmpiricalTable
) -> Scores:
    found = from_quotes(
        quotes,
        markets,
        models(config, table),
        warmup_seconds=config.prices.warmup_seconds,
        longest_price_age=config.entry.max_price_age_seconds,
    )
    return score(list(two_normals.mixed(found.observations)), (), found.without_outcome, beside=BESIDE)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _by_time(
    rows: Iterator[tuple[datetime, CoinPrice | MarketQuote]],
) -> list[tuple[datetime, CoinPrice | MarketQuote]]:
    return sorted(rows, key=itemgetter(0))


def _matches(path: Path) -> Iterator[tuple[datetime, CoinPrice | MarketQuote]]:
    for row in _rows(path):
        yield datetime.fromisoformat(row["exchange_ts"]), CoinPrice("BTC", Decimal(row["price"]))


def _tickers(path: Path) -> Iterator[tuple[datetime, CoinPrice | MarketQuote]]:
    for row in _rows(path):
        at = datetime.fromtimestamp(int(row["ts_ms"]) / 1000, UTC)
        yield at, MarketQuote(row["ticker"], dollars(row["yes_bid"]), dollars(row["yes_ask"]))


def _settled() -> dict[str, MarketOutcome]:
    """Windows whose strike and result are known."""
    found: dict[str, MarketOutcome] = {}
    for row in _rows(DATA / "kalshi_btc15m_settlements" / "settlements_dev.csv.gz"):
        if row["floor_strike"] and row["result"]:
            closes = datetime.fromisoformat(row["close_time"])
            market = market_of(row["ticker"], "BTC", closes, Decimal(row["floor_strike"]))
            found[row["ticker"]] = MarketOutcome(market, row["result"] == "yes")
    return found


def _two_second_tape(rows: list[dict[str, str]], coins: tuple[str, ...]) -> Quotes:
    for row in rows:
        at = datetime.fromisoformat(row["ts"])
        for coin in coins:
            if row[f"{coin}_error"] or not row[f"{coin}_real_price"]:
                continue
            yield at, CoinPrice(coin.upper(), Decimal(row[f"{coin}_real_price"]))
            bid, ask = (_cents(row[f"{coin}_yes_{side}"]) for side in ("bid", "ask"))
            yield at, MarketQuote(row[f"{coin}_ticker"], dollars(bid), dollars(ask))


def _cents(text: str) -> str:
    return str(Decimal(text or 0) / 100)


def _by_next_strike(rows: list[dict[str, str]], coins: tuple[str, ...]) -> dict[str, MarketOutcome]:
    """The next window's strike is the mean that this one settled on; a window without a next one has no outcome."""
    found: dict[str, MarketOutcome] = {}
    for coin in coins:
        strikes: dict[datetime, tuple[str, Decimal]] = {}
        for row in rows:
            strike, left = row[f"{coin}_floor_strike"], row[f"{coin}_time_to_expiry"]
            if not strike or not left or row[f"{coin}_error"]:
                continue
            closes = _quarter(datetime.fromisoformat(row["ts"]) + timedelta(seconds=float(left)))
            strikes[closes] = (row[f"{coin}_ticker"], Decimal(strike))
        for closes, (ticker, strike) in strikes.items():
            after = strikes.get(closes + WINDOW)
            if after is not None:
                market = market_of(ticker, coin.upper(), closes, strike)
                found[ticker] = MarketOutcome(market, after[1] >= strike)
    return found


def _quarter(at: datetime) -> datetime:
    """The quarter of an hour that this moment is next to."""
    seconds = round(at.timestamp() / WINDOW.total_seconds()) * WINDOW.total_seconds()
    return datetime.fromtimestamp(seconds, UTC)


if __name__ == "__main__":
    main()
