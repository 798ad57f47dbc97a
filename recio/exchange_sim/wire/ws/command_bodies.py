"""A WebSocket command as the client wrote it, and the venue's table of errors; it carries nothing out."""

from __future__ import annotations

from typing import Annotated

import msgspec

ERRORS = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    9: "Authentication required",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    18: "Command timeout",
    19: "shard_factor must be > 0",
    20: "shard_factor is required when shard_key is set",
    21: "shard_key must be >= 0 and < shard_factor",
    22: "shard_factor must be <= 100",
    24: "Index IDs required",
    25: "Subscription buffer overflow",
    26: "Subscription market limit exceeded",
    27: "Too many requests",
    28: "Underlying tickers required",
}
MOST_SHARDS = 100


class CommandParams(msgspec.Struct):
    channels: list[str] | None = None
    market_ticker: str | None = None
    market_tickers: list[str] | None = None
    market_id: str | None = None
    market_ids: list[str] | None = None
    use_yes_price: bool | None = None
    index_ids: list[str] | None = None
    underlying_tickers: list[str] | None = None
    shard_factor: int | None = None
    shard_key: int | None = None
    sid: int | None = None
    sids: list[int] | None = None
    action: str | None = None
    send_initial_snapshot: bool | None = None
    skip_ticker_ack: bool | None = None

    def tickers(self) -> list[str]:
        return _together(self.market_ticker, self.market_tickers)

    def ids(self) -> list[str]:
        return _together(self.market_id, self.market_ids)


class Command(msgspec.Struct):
    cmd: str = ""
    id: Annotated[int, msgspec.Meta(ge=0)] | None = 0
    params: msgspec.Raw = msgspec.Raw()


class CommandError(Exception):
    """A command that the venue answers with a numbered error."""

    def __init__(self, code: int, *, sid: int | None = None, **about: object) -> None:
        super().__init__(ERRORS[code])
        self.code = code
        self.sid = sid
        self.about = about


_commands = msgspec.json.Decoder(Command)
_params = msgspec.json.Decoder(CommandParams)


def read_command(text: str) -> Command:
    try:
        return _commands.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise CommandError(1) from error


def read_params(command: Command) -> CommandParams:
    """The parameters; wrong types are error 11, none at all error 2."""
    if bytes(command.params) in (b"", b"null"):
        raise CommandError(2)
    try:
        return _params.decode(command.params)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CommandError(11) from error


def check_shards(params: CommandParams) -> None:
    """The shard parameters of the communications channel."""
    factor, key = params.shard_factor, params.shard_key
    if factor is None:
        if key is not None:
            raise CommandError(20)
        return
    if factor <= 0:
        raise CommandError(19)
    if factor > MOST_SHARDS:
        raise CommandError(22)
    if key is not None and not 0 <= key < factor:
        raise CommandError(21)


def _together(one: str | None, several: list[str] | None) -> list[str]:
    named = list(dict.fromkeys(several or ()))
    if one and one not in named:
        named.append(one)
    return named
