"""Netting and the exactness of the account's books under any sequence of fills."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recio.exchange_sim.engine.account import Account, Position, apply_fill, settle
from recio.exchange_sim.engine.price_grids import TAPERED_DECI_CENT


def fresh() -> tuple[Account, Position]:
    account = Account(user_id="u", cash={2: 10**9}, deposits=10**9)
    position = Position(ticker="T", event_ticker="E", shard=2)
    return account, position


def fill(account: Account, position: Position, side: str, price: int, quantity: int, fee: int = 0) -> None:
    apply_fill(account, position, bid=side == "bid", price=price, quantity=quantity, fee=fee, now_ms=0)


def test_selling_what_is_held_pays_out_at_once() -> None:
    account, position = fresh()
    fill(account, position, "bid", 4_000, 1_000)
    fill(account, position, "ask", 5_500, 400)
    assert position.quantity == 600
    assert position.cost == 6 * 400_000
    assert position.realized == 4 * 150_000
    assert account.cash[2] == 10**9 - 10 * 400_000 + 4 * 550_000


def test_an_order_larger_than_the_position_turns_it_round() -> None:
    account, position = fresh()
    fill(account, position, "bid", 4_000, 100)
    fill(account, position, "ask", 6_000, 300)
    assert position.quantity == -200
    assert position.cost == 2 * 400_000
    assert position.realized == 200_000


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["bid", "ask"]),
            st.sampled_from(TAPERED_DECI_CENT.levels),
            st.integers(1, 10_000),
            st.integers(0, 500),
        ),
        max_size=40,
    ),
    st.sampled_from(["yes", "no"]),
)
def test_cash_is_deposits_plus_realized_profit_less_fees_once_settled(
    fills: list[tuple[str, int, int, int]], result: str
) -> None:
    account, position = fresh()
    for side, price, quantity, fee in fills:
        fill(account, position, side, price, quantity, fee)
        assert account.cash[2] == account.deposits + position.realized - position.cost - account.fees
    settle(account, position, result=result, now_ms=1)
    assert account.cash[2] == account.deposits + position.realized - account.fees
    assert position.quantity == position.cost == 0
