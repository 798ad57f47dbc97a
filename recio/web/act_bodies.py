"""What may be asked for on the page, each act as a model; the greater its danger, the more has to be said for it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from recio.messages.controls import ResumeRequest
from recio.settings.strategies import NAME
from recio.times import time_text
from recio.units import (
    ONE_DOLLAR,
    Price,
    Quantity,
    UnitError,
    price,
    quantity,
)
from recio.web.answers import LINE, Given, Number, Taken, TickerText

Key = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{8,64}$")]
"""Drawn by whoever asks, anew for each act: the same key again is the same act, and is done once."""
Why = Annotated[str, Field(max_length=200, pattern=LINE)]
Cause = Annotated[str, Field(min_length=1, max_length=500, pattern=LINE)]
PriceText = Annotated[str, Field(pattern=r"^0\.(0[0-9]{0,2}[1-9]|[0-9]{0,3}[1-9]|[1-9][0-9]{0,3})$")]
"""Dollars for one contract, above 0 and below 1."""
ContractsText = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,8}(\.[0-9]{1,2})?|0\.([1-9][0-9]?|0[1-9]))$")]

AmountText = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$")]
LimitName = Annotated[str, Field(pattern="^[a-z_]{1,40}$")]
StrategyName = Annotated[str, Field(pattern=NAME)]


class Act(Taken):
    key: Key
    why: Why = ""


class HaltAct(Act):
    """No new orders; exits go on. One tap."""


class FlattenAct(Act):
    """No new orders, and everything held is sold while its market is open."""

    confirm: Literal["FLATTEN"]


class StopAct(Act):
    """No new orders, and the daemon ends."""

    confirm: Literal["STOP"]


class ResumeAct(Act):
    """The halts that were shown end, and none that came since."""

    causes: Annotated[list[Cause], Field(min_length=1, max_length=16)]
    since: Annotated[tuple[AwareDatetime, ...], Field(max_length=16)] = ()
    """When each of them began, as the status has it, so that a newer halt of the same cause stays; empty: whichever are in force."""
    confirm: Literal["RESUME"]

    def contradiction(self) -> str:
        """What does not go together; empty: nothing."""
        if self.since and len(self.since) != len(self.causes):
            return f"since has {len(self.since)} times for {len(self.causes)} causes: send one for each"
        return ""

    def request(self, by: str, at: datetime) -> ResumeRequest:
        return ResumeRequest(causes=tuple(self.causes), since=self.since, by=by, at=at)

    def told(self) -> dict[str, list[str]]:
        """As its row has it."""
        since = {"since": [time_text(each) for each in self.since]} if self.since else {}
        return {"causes": list(self.causes)} | since


class CloseAct(Act):
    """One trade is sold, whatever its stops say."""

    trade_id: Number
    min_price: PriceText | None = None
    """The least to accept for one contract; null: whatever is bid."""
    confirm: Literal["CLOSE"]


class TradeAct(Act):
    """A trade is bought, through the gates and limits."""

    ticker: TickerText
    side: Literal["yes", "no"]
    contracts: ContractsText
    max_price: PriceText
    """The most to pay for one contract."""
    guard: Literal["exit", "own"] = "exit"
    """exit: sold by [exit]. own: by the two prices below alone, and where both are null by nothing."""
    stop_price: PriceText | None = None
    take_profit: PriceText | None = None
    confirm: Literal["TRADE"]

    def contradiction(self) -> str:
        """What does not go together, which no shape can say; empty: nothing."""
        if self.guard == "exit" and (self.stop_price or self.take_profit):
            return 'stop_price and take_profit go with guard = "own"'
        if self.stop_price and price_of_text(self.stop_price) >= price_of_text(self.max_price):
            return "stop_price must be below max_price, or all that is bought is sold at once"
        if (
            self.stop_price
            and self.take_profit
            and price_of_text(self.take_profit) <= price_of_text(self.stop_price)
        ):
            return "take_profit must be above stop_price"
        return ""


class SwitchAct(Act):
    """Entries, all or those of one strategy, or exits are switched, each by itself."""

    name: Literal["entry", "exit"]
    strategy: StrategyName | None = None
    """Whose entries; null: those of all."""
    is_on: bool
    confirm: Literal["SWITCH"]


class LowerAct(Act):
    """A limit is lowered at once; only a grant and a start raise it again."""

    limit: LimitName
    amount: AmountText
    """What it becomes, in its own unit: dollars, contracts, trades or orders."""
    confirm: Literal["LOWER"]


class RaiseAct(Act):
    """The next start is let raise a limit, as recio limits grant does; until then nothing changes."""

    limit: LimitName
    amount: AmountText
    """How high it may become, in its own unit: dollars, contracts, trades or orders."""
    shown: Annotated[str, Field(min_length=1, max_length=2_000, pattern=LINE)]
    """The sentence of GET /limits/raise, as whoever grants it read it: where it is another by now, nothing is granted."""
    confirm: Literal["RAISE"]


class AcknowledgeAct(Act):
    """Somebody looks after an alert: it is not told again, unless it becomes graver."""

    cause: Cause


class AlertTestAct(Act):
    """Every channel is sent a test."""


class ActPath(Taken):
    key: Key


class CameOfIt(Given):
    """One act, and what has come of it so far."""

    key: str
    act: str
    asked_by: str
    asked_at: datetime
    number: int | None
    """Of the trade or the request that it became."""
    finished: bool
    """Whether nothing more comes of it."""
    worked: bool | None
    """Null: not known yet."""
    sentence: str


def price_of_text(text: str) -> Price:
    """Raises UnitError, which no text of the pattern does."""
    found = price(text)
    if not 0 < found < ONE_DOLLAR:
        raise UnitError(f"{text} is not above 0 and below 1")
    return found


def contracts_of_text(text: str) -> Quantity:
    return quantity(text)
