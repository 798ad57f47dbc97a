"""What the venue allows one socket, in numbers and switches; several of the true ones are not published."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class YesPrices(StrEnum):
    """When the asks of a book are told at YES prices instead of at their complements."""

    ASKED = "asked"
    """Where `use_yes_price` is true; today's default."""
    UNLESS_REFUSED = "unless-refused"
    """Unless it is false; the default to come."""
    ALWAYS = "always"
    """Whatever is asked: the flag is gone."""

    def apply(self, asked: bool | None) -> bool:
        match self:
            case YesPrices.ASKED:
                return bool(asked)
            case YesPrices.UNLESS_REFUSED:
                return asked is not False
            case YesPrices.ALWAYS:
                return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRules:
    index_channels: bool = True
    """Whether the account may read the settlement index; if not, its channels answer error 9."""
    compression: bool = True
    """Whether permessage-deflate is accepted from clients that offer it."""
    most_markets: int = 10_000
    """Markets one subscription may name before it is answered with error 26."""
    commands_per_second: int = 10_000
    """Commands of one socket in one host second before it is answered with error 27."""
    most_connections: int = 200
    """Sockets of the account at once; one more is refused at its upgrade with 429."""
    pong_seconds: float | None = 30.0
    """A socket whose client has not answered a ping for so many host seconds is cut; None for never."""
    most_queued: int = 20_000
    """Frames a subscription may wait to be written before it ends with error 25."""
    sending_times: bool = True
    """Whether messages say in `sending_ts_ms` when they were queued, as the venue began to in autumn 2026."""
    yes_prices: YesPrices = YesPrices.ASKED
    locked_to: int | None = None
    """The subaccount of which alone the private channels tell; None: of all of them."""
