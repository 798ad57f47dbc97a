"""When an order counts as not found, and where the venue's positions differ from ours; it mends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from recio.messages.account import AccountView, FillSeen, PositionDifference
from recio.messages.orders import OpenTrades, OrderView, TradeView
from recio.units import ClientOrderId, Quantity, Side, Ticker

OVERLAP = timedelta(minutes=10)
"""Market time by which each read of orders, fills and settlements reaches behind the one before."""
READS_THAT_PROVE = 2
SLACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Absence:
    """How often in a row an unknown order was missing from a complete read that must have shown it."""

    reads: int = 0
    last_as_of: datetime | None = None

    def after(self, *, found: bool, as_of: datetime, sent_by: datetime) -> Absence:
        """`as_of` is the venue's own data time of the read, `sent_by` the last moment it can have arrived."""
        if found:
            return Absence()
        if as_of <= sent_by or (self.last_as_of is not None and as_of <= self.last_as_of):
            return self
        return Absence(self.reads + 1, as_of)

    @property
    def proven(self) -> bool:
        return self.reads >= READS_THAT_PROVE


SETTLED_WITHIN = timedelta(hours=6)
"""Market time after a close in which a market is settled, its fixed price and a dispute of the usual kind included."""


def difference_cause(found: PositionDifference) -> str:
    """The cause of the halt: whose doing it is as far as the fills say."""
    venue, ours = f"{found.venue / 100:+.2f}", f"{found.ours / 100:+.2f}"
    if found.is_external:
        return f"position on {found.ticker} was made {venue} without recio, which holds {ours}: its stop cannot sell all of that"
    return f"position on {found.ticker} differs: venue {venue}, recio {ours}"


def settle_command(ticker: Ticker) -> str:
    """What a person types who knows how a market ended."""
    return f"recio settle {ticker} --at VALUE --by NAME --why TEXT"


def overdue(
    account_as_of: datetime, trades: Iterable[TradeView], unsettled: Iterable[Ticker]
) -> tuple[Ticker, ...]:
    """Markets whose trade waits for an end that should have come long ago, and of which nothing else is said."""
    said = set(unsettled)
    return tuple(
        each.ticker
        for each in trades
        if each.closes_at + SETTLED_WITHIN < account_as_of and each.ticker not in said
    )


def lasting_causes(account: AccountView) -> list[str]:
    """Causes of a halt that resuming does not take away: each halts once, and who clears it has taken note."""
    return [
        *(
            f"order {each} counts as never arrived and is at the venue: what it bought has no stop: sell it by hand"
            for each in account.contradicted
        ),
        *(
            f"{each} is settled at a value that cannot be read: its trade waits: look at the venue's own page, then:"
            f" {settle_command(each)}"
            for each in account.unsettled
        ),
        *(
            f"{each} has closed and is not settled after {SETTLED_WITHIN.total_seconds() / 3600:g} hours: its trade"
            f" waits: look at the venue's own page; if it is settled there: {settle_command(each)}"
            for each in account.overdue
        ),
    ]


def absence_margin(request_timeout_seconds: float, speed: float, deadline_seconds: float = 0.0) -> timedelta:
    """Market time after an order's row was there beyond which its request cannot arrive any more.

    The request is given up after its time-out in host seconds; market time may run faster. It may have waited for its
    deadline, in market seconds, before it left.
    """
    return timedelta(seconds=(request_timeout_seconds + SLACK_SECONDS) * speed + deadline_seconds)


def rows_since(
    before: Mapping[ClientOrderId, float] | None,
    orders: Iterable[OrderView],
    now: datetime,
    seconds: float,
    speed: float,
    began_at: datetime,
) -> Mapping[ClientOrderId, float]:
    """Since when the row of each of these orders has been there, at the latest, in seconds of a clock that nobody can set.

    What stands in it is from before its statement, which a slow database carries out many seconds later; only then an exit leaves.
    What was there at the first look, `before` being None, and is from before `began_at`, when this daemon began, is an earlier
    one's, of which nothing leaves any more: it is taken at its word. A later row may be of a sale that is about to leave, and the
    first look of a task that began again. `seconds` is now, and market time runs `speed` times as fast.
    """
    known = (
        {
            each.client_order_id: seconds - _age(each, now).total_seconds() / speed
            for each in orders
            if each.created_at < began_at
        }
        if before is None
        else before
    )
    return {each.client_order_id: known.get(each.client_order_id, seconds) for each in orders}


def _age(order: OrderView, now: datetime) -> timedelta:
    return max(now - order.created_at, timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketLedger:
    """What the posted fills of one market add up to, whoever made them; `yes` and `no` grow with every fill."""

    yes: Quantity
    no: Quantity
    external: Quantity
    """Signed: what no trade of ours holds of it."""
    is_settled: bool


NO_LEDGERS: Mapping[Ticker, MarketLedger] = {}
NOTHING_UNREAD: frozenset[Ticker] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A difference as one comparison found it, and what must be as it was when the next one finds it too."""

    difference: PositionDifference
    ledger: MarketLedger | None
    noted_at: datetime
    """By the venue's clock, when that comparison had ended."""


def signed_holdings(trades: Iterable[TradeView], now: datetime) -> Mapping[Ticker, Quantity]:
    """What our live trades hold in markets that have not closed: + YES, - NO."""
    held: dict[Ticker, Quantity] = {}
    for trade in trades:
        if trade.closes_at > now:
            sign = 1 if trade.side is Side.YES else -1
            held[trade.ticker] = Quantity(held.get(trade.ticker, 0) + sign * trade.held)
    return held


def compare(
    venue: Mapping[Ticker, Quantity],
    trades: Iterable[TradeView],
    unsettled: Set[Ticker],
    now: datetime,
    ledgers: Mapping[Ticker, MarketLedger] = NO_LEDGERS,
    unread: Set[Ticker] | None = NOTHING_UNREAD,
) -> tuple[PositionDifference, ...]:
    """Where positions disagree, apart from markets with an order in motion, past their close, settled or unread.

    Fills of orders that are not ours explain what they made. `unread` None: any position may be hidden.
    """
    if unread is None:
        return ()
    trades = tuple(trades)
    ours = signed_holdings(trades, now)
    closed = {trade.ticker for trade in trades if trade.closes_at <= now}
    skipped = unsettled | closed | unread | {name for name, each in ledgers.items() if each.is_settled}
    found = (
        _difference(
            ticker, venue.get(ticker, Quantity(0)), ours.get(ticker, Quantity(0)), ledgers.get(ticker)
        )
        for ticker in sorted((venue.keys() | ours.keys()) - skipped)
    )
    return tuple(each for each in found if each is not None)


def _difference(
    ticker: Ticker, venue: Quantity, ours: Quantity, ledger: MarketLedger | None
) -> PositionDifference | None:
    external = Quantity(0) if ledger is None else ledger.external
    if venue != ours + external:
        return PositionDifference(ticker=ticker, venue=venue, ours=Quantity(ours + external))
    # Explained; but what a trade of ours holds must still be there to be sold or paid.
    if external and (venue < ours if ours > 0 else venue > ours if ours < 0 else False):
        return PositionDifference(ticker=ticker, venue=venue, ours=ours, is_external=True)
    return None


def suspected(
    found: Iterable[PositionDifference],
    ledgers: Mapping[Ticker, MarketLedger],
    noted_at: datetime,
    before: Mapping[Ticker, Suspicion],
    in_motion: Set[Ticker],
) -> dict[Ticker, Suspicion]:
    """What the next comparison has to find as well. An order in motion hides a market, and takes no earlier suspicion away:
    a sale that is tried again and again, because nothing is there to be sold, would hide it for ever."""
    kept = {ticker: each for ticker, each in before.items() if ticker in in_motion}
    return kept | {
        each.ticker: Suspicion(difference=each, ledger=ledgers.get(each.ticker), noted_at=noted_at)
        for each in found
    }


def confirmed(
    found: Iterable[PositionDifference],
    before: Mapping[Ticker, Suspicion],
    ledgers: Mapping[Ticker, MarketLedger],
    as_of: datetime,
) -> tuple[PositionDifference, ...]:
    """Those that an earlier comparison found as well, with no fill since, by reads newer than its end: reads lag each other."""
    return tuple(
        each
        for each in found
        if (known := before.get(each.ticker)) is not None
        and known.difference == each
        and known.ledger == ledgers.get(each.ticker)
        and as_of >= known.noted_at
    )


def made_externally(ledgers: Mapping[Ticker, MarketLedger], traded: Set[Ticker]) -> dict[Ticker, Quantity]:
    """What fills of orders that are not ours left in markets that are traded and not settled."""
    return {
        ticker: each.external
        for ticker, each in ledgers.items()
        if ticker in traded and each.external and not each.is_settled
    }


def may_be_of(fill: FillSeen, trades: OpenTrades | None) -> bool:
    """Whether a fill is, or may be, of an order that recio made: one whose venue order is not known yet may be any on its market."""
    orders = () if trades is None else (*trades.orders, *trades.recent_orders)
    return any(
        fill.venue_order_id == each.venue_order_id
        or (each.venue_order_id is None and fill.ticker == each.ticker)
        for each in orders
    )


FAMILY_CHARS = 4
"""So many characters of a tag stay through every restore: by them a database knows what any restore of it has ordered."""


def is_ours(name: ClientOrderId | None, tag: str, trades: OpenTrades | None) -> bool:
    """Whether recio made an order: by the family of this database's tag, or by its row.

    What was ordered after a backup has the tag of before the restore, or that of another restore of the same database.
    """
    if name is None:
        return False
    first, _, rest = name.partition("-")
    family, found = tag[:FAMILY_CHARS], rest.partition("-")[0]
    return (first == "recio" and len(found) == len(tag) and found.startswith(family)) or any(
        name == each.client_order_id for each in (trades.orders if trades else ())
    )
