"""A book change from its bytes to the book, against decoding the same JSON and nothing else."""

from __future__ import annotations

import json
import random

from benchmarks.figures import Figure
from benchmarks.in_process.timing import against, best_of
from recio.kalshi.frames import parse_frame
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen, SequencedBooks

DELTAS = 50_000


def measure() -> list[Figure]:
    made = frames()
    floor = best_of(lambda: [json.loads(raw) for raw in made])
    ours = best_of(lambda: rebuild(made))
    return [against("book delta, bytes to book", ours / len(made), floor / len(made), "json.loads alone")]


def frames(deltas: int = DELTAS) -> list[bytes]:
    """A snapshot and a walk of deltas that look like those of a fifteen-minute market."""
    dice = random.Random(1)
    levels = [[f"{cent / 100:.4f}", "500.00"] for cent in range(1, 50)]
    head = {"market_ticker": "KXBTC15M-BENCH", "yes_dollars_fp": levels, "no_dollars_fp": levels}
    made = [json.dumps({"type": "orderbook_snapshot", "sid": 2, "seq": 1, "msg": head}).encode()]
    for seq in range(2, deltas + 2):
        body = {
            "market_ticker": "KXBTC15M-BENCH",
            "price_dollars": f"{dice.randint(1, 49) / 100:.4f}",
            "delta_fp": f"{dice.choice((50, 7.25, 1)):.2f}",
            "side": dice.choice(("yes", "no")),
            "ts_ms": seq,
        }
        made.append(json.dumps({"type": "orderbook_delta", "sid": 2, "seq": seq, "msg": body}).encode())
    return made


def rebuild(made: list[bytes]) -> None:
    books = SequencedBooks()
    for raw in made:
        seen = parse_frame(raw)
        if isinstance(seen, BookDeltaSeen):
            books.delta(seen)
        elif isinstance(seen, BookSnapshotSeen):
            books.snapshot(seen)
