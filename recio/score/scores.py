"""The scores of some observations and trades, as plain figures: every number with how many events stand behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from recio.replay.findings import TradeFound
from recio.score.forecasts import MARKET, TERMINAL, Observation
from recio.score.groups import Bin, by_distance, by_time, calibration
from recio.score.losses import LOSSES, Comparison, Interval, block_interval, compare, events_needed
from recio.units import ONE_CONTRACT

EVERYTHING = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One comparison by one loss within one group."""

    group: str
    loss: str
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What filled trades brought after fees."""

    trades: int
    events: int
    contracts: float
    dollars: float
    per_contract: float
    interval: Interval | None
    events_needed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    observations: int
    events: int
    yes: float
    """Share of observations whose market ended YES."""
    names: tuple[str, ...]
    compared: tuple[Compared, ...]
    calibration: Mapping[str, Sequence[Bin]]
    edge: Edge | None


def score(observations: Sequence[Observation], trades: Sequence[TradeFound] = ()) -> Scores:
    """Everybody against the market, and every model against the naive one."""
    names = tuple(dict.fromkeys(chain.from_iterable(each.probabilities for each in observations)))
    return Scores(
        observations=len(observations),
        events=len({each.event for each in observations}),
        yes=sum(each.yes for each in observations) / max(1, len(observations)),
        names=names,
        compared=tuple(_compared(observations, names)),
        calibration={name: calibration(observations, name) for name in names},
        edge=edge(trades),
    )


def _compared(observations: Sequence[Observation], names: Sequence[str]) -> Iterable[Compared]:
    groups = [
        (EVERYTHING, list(observations)),
        *by_time(observations),
        *by_distance(observations),
    ]
    pairs = [(name, MARKET) for name in names if name != MARKET]
    pairs += [(name, TERMINAL) for name in names if name not in (MARKET, TERMINAL)]
    for group, held in groups:
        for name, against in pairs:
            for loss_name, loss in LOSSES.items():
                found = compare(held, name, against, loss)
                if found is not None:
                    yield Compared(group=group, loss=loss_name, comparison=found)


def edge(trades: Sequence[TradeFound]) -> Edge | None:
    """None where nothing was filled and ended. All that closes at one moment is one event: its bets win and lose together."""
    blocks: dict[str, tuple[float, float]] = {}
    for found in trades:
        trade = found.trade
        contracts = trade.entry_quantity / ONE_CONTRACT
        if not contracts:
            continue
        event = trade.closes_at.isoformat()
        dollars, many = blocks.get(event, (0.0, 0.0))
        blocks[event] = (dollars + trade.pnl / 1_000_000, many + contracts)
    if not blocks:
        return None
    dollars, contracts = (sum(each[at] for each in blocks.values()) for at in (0, 1))
    return Edge(
        trades=sum(each.trade.entry_quantity > 0 for each in trades),
        events=len(blocks),
        contracts=contracts,
        dollars=dollars,
        per_contract=dollars / contracts,
        interval=block_interval(list(blocks.values())),
        events_needed=events_needed([total / many for total, many in blocks.values()]),
    )
