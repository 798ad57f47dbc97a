"""Pairs of settings that contradict each other: what one of them asks for the other never lets happen; it judges no single value."""

from __future__ import annotations

import math
from collections.abc import Iterator

from recio.settings.risk import RiskSection
from recio.settings.trading import EntrySection, ExitSection, Sizing
from recio.units import (
    ONE_CONTRACT,
    Money,
    Price,
    complement,
    money_decimal,
    notional,
    price_text,
    quantity_text,
)


def contradictions(
    entry: EntrySection,
    exit_: ExitSection,
    risk: RiskSection,
    above: str = "",
    budget: Money | None = None,
) -> Iterator[str]:
    """One sentence for each pair, with both names, both values and the way out; `above` names the strategy's tables."""
    names = (f"{above}entry.", f"{above}exit.")
    yield from _orders_that_no_limit_lets_through(entry, risk, names[0])
    yield from _orders_that_nothing_asks_for(entry, above, budget)
    yield from _exits_that_never_sell(entry, exit_, *names)


def _orders_that_no_limit_lets_through(entry: EntrySection, risk: RiskSection, table: str) -> Iterator[str]:
    if entry.contracts > risk.max_contracts_per_order:
        yield (
            f"{table}contracts = {quantity_text(entry.contracts)} is more than risk.max_contracts_per_order ="
            f" {quantity_text(risk.max_contracts_per_order)}: every such order would be refused; lower the one or raise the other"
        )
    if entry.contracts > risk.max_contracts_per_strike:
        yield (
            f"{table}contracts = {quantity_text(entry.contracts)} is more than risk.max_contracts_per_strike ="
            f" {quantity_text(risk.max_contracts_per_strike)}: every such order would be refused; lower the one or raise the other"
        )
    if 0 < risk.price_collar_dollars < entry.max_slippage_dollars:
        yield (
            f"{table}max_slippage_dollars = {price_text(entry.max_slippage_dollars)} is more than risk.price_collar_dollars ="
            f" {price_text(risk.price_collar_dollars)}: an order that follows the ask so far would be refused; lower the one or raise"
            " the other"
        )
    if entry.sizing is Sizing.FIXED:
        yield from _dearer_than_a_limit(entry, risk, table)


def _dearer_than_a_limit(entry: EntrySection, risk: RiskSection, table: str) -> Iterator[str]:
    """Even the cheapest order. A limit of 0 is meant: nothing may be bought."""
    cheapest = notional(entry.min_price_dollars, entry.contracts)
    for name in ("max_event_cost_dollars", "max_open_cost_dollars", "max_daily_loss_dollars"):
        limit: Money = getattr(risk, name)
        if 0 < limit < cheapest:
            yield (
                f"{table}contracts = {quantity_text(entry.contracts)} cost at least ${cheapest / 1_000_000:.2f} at"
                f" min_price_dollars = {price_text(entry.min_price_dollars)}, which is more than risk.{name} ="
                f" {limit / 1_000_000:.2f}: every order would be refused; lower the one or raise the other"
            )


def _orders_that_nothing_asks_for(entry: EntrySection, above: str, budget: Money | None) -> Iterator[str]:
    """Not even at the lowest price, where a contract costs least and may gain most."""
    at_least = f"{above}entry.min_price_dollars = {price_text(entry.min_price_dollars)}"
    if entry.min_edge_dollars > notional(complement(entry.min_price_dollars), ONE_CONTRACT):
        yield (
            f"{above}entry.min_edge_dollars = {money_decimal(entry.min_edge_dollars):.4f} is more than a contract can gain that costs"
            f" {at_least}: nothing could ever be bought; lower the one or the other"
        )
    cheapest = notional(entry.min_price_dollars, entry.contracts)
    if entry.sizing is Sizing.FIXED and budget is not None and budget < cheapest:
        yield (
            f"{above}entry.contracts = {quantity_text(entry.contracts)} cost at least ${_dollars(cheapest)} at {at_least},"
            f" which is more than {above}budget_dollars = {_dollars(budget)}: every order would be refused; lower the one or"
            " raise the other"
        )
    if entry.sizing is Sizing.KELLY and entry.kelly_bankroll_dollars is not None:
        most = Money(math.floor(entry.kelly_bankroll_dollars * entry.kelly_fraction))
        if most <= (crumb := notional(entry.min_price_dollars, entry.min_contracts)):
            yield (
                f"{above}entry.kelly_bankroll_dollars = {_dollars(entry.kelly_bankroll_dollars)} and kelly_fraction ="
                f" {entry.kelly_fraction:g} stake less than ${_dollars(crumb)}, which min_contracts ="
                f" {quantity_text(entry.min_contracts)} cost at {at_least}: nothing could ever be bought; raise the bankroll"
                " or lower min_contracts"
            )


def _dollars(amount: Money) -> str:
    return f"{money_decimal(amount):.2f}"


def bought_only_to_be_sold(entry: EntrySection, exit_: ExitSection, above: str = "") -> Iterator[str]:
    """Pairs that lose money and nothing else. They are told and not refused: who tries out how recio sells may want them."""
    if not exit_.enabled:
        return
    buys, sells = f"{above}entry.", f"{above}exit."
    stop, goal = exit_.stop_price_dollars, exit_.take_profit_dollars
    if stop is not None and stop >= entry.max_price_dollars:
        yield (
            f"{sells}stop_price_dollars = {price_text(stop)} is not below {buys}max_price_dollars ="
            f" {price_text(entry.max_price_dollars)}: all that is bought would be sold at once; lower the stop"
        )
    if goal is not None and goal <= entry.min_price_dollars:
        yield (
            f"{sells}take_profit_dollars = {price_text(goal)} is not above {buys}min_price_dollars ="
            f" {price_text(entry.min_price_dollars)}: all that is bought would be sold at once; raise the goal"
        )
    if exit_.stop_probability is not None and exit_.stop_probability >= 1.0:
        yield (
            f"{sells}stop_probability = {exit_.stop_probability:g} is above every probability: all that is bought would be"
            " sold at once; lower it"
        )
    last, longest = exit_.time_stop_seconds_to_close, entry.max_seconds_to_close
    if last is not None and last >= longest:
        yield (
            f"{sells}time_stop_seconds_to_close = {last:g} is not below {buys}max_seconds_to_close = {longest:g}: all that is"
            " bought would be sold at once; lower the time stop"
        )


def bought_unwatched(entry: EntrySection, exit_: ExitSection, above: str = "") -> Iterator[str]:
    """What entry takes for fresh and exit for too old: of what is bought on it no stop could tell what it is worth."""
    for name in ("max_price_age_seconds", "max_book_age_seconds"):
        buys_on, sells_on = getattr(entry, name), getattr(exit_, name)
        if exit_.enabled and buys_on > sells_on:
            yield (
                f"{above}entry.{name} = {buys_on:g} is more than {above}exit.{name} = {sells_on:g}: what is bought on"
                " what is older has no stop until something newer arrives; lower the one or raise the other"
            )


def _exits_that_never_sell(entry: EntrySection, exit_: ExitSection, buys: str, sells: str) -> Iterator[str]:
    floor, longest = exit_.min_floor_dollars, entry.max_seconds_to_close
    for name in ("stop_price_dollars", "take_profit_dollars"):
        at: Price | None = getattr(exit_, name)
        if floor is not None and at is not None and floor > at:
            yield (
                f"{sells}min_floor_dollars = {price_text(floor)} is above {sells}{name} = {price_text(at)}:"
                " it would never sell; lower the floor"
            )
    dearest = entry.max_price_dollars
    if exit_.enabled and exit_.stop_probability is not None and floor is not None and floor >= dearest:
        yield (
            f"{sells}min_floor_dollars = {price_text(floor)} is not below {buys}max_price_dollars = {price_text(dearest)}:"
            f' no stop could sell what has lost anything; lower the floor, or switch the stop off with {sells}stop_probability = "off"'
        )
    if exit_.enabled and exit_.min_hold_seconds + exit_.min_seconds_to_close >= longest:
        yield (
            f"{sells}min_hold_seconds = {exit_.min_hold_seconds:g} and {sells}min_seconds_to_close ="
            f" {exit_.min_seconds_to_close:g} leave nothing of {buys}max_seconds_to_close = {longest:g}:"
            " no stop could ever sell; lower one of them, or switch exits off with exit.enabled = false"
        )
