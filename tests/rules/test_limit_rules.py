"""Limits of a start: they fall with the config and rise only where somebody let them."""

from __future__ import annotations

from decimal import Decimal

from recio.rules.account.limits import IN_ROWS, in_force, wanted
from recio.settings.risk import RiskSection
from recio.units import money
from tests.builders import section

CONFIG = section(RiskSection, max_open_trades=5, max_open_cost_dollars=Decimal("200.5"))


def test_a_first_start_takes_what_the_config_says():
    assert in_force(CONFIG, {}).limits == CONFIG


def test_a_limit_above_its_ceiling_stays_there_and_is_named():
    started = in_force(
        CONFIG, {"max_open_trades": Decimal(3), "max_open_cost_dollars": Decimal("150.000000")}
    )
    assert started.limits.max_open_trades == 3
    assert started.limits.max_open_cost_dollars == money("150")
    assert {(each.name, each.wanted) for each in started.held_back} == {
        ("max_open_trades", Decimal(5)),
        ("max_open_cost_dollars", Decimal("200.5")),
    }


def test_a_limit_below_its_ceiling_falls_without_a_word():
    started = in_force(CONFIG, dict.fromkeys(IN_ROWS, Decimal(1_000_000)))
    assert (started.limits, started.held_back) == (CONFIG, ())


def test_what_is_in_force_reads_back_as_the_settings_it_came_from():
    held = in_force(CONFIG, {name: amount / 2 for name, amount in wanted(CONFIG).items()}).limits
    assert held != CONFIG
    assert RiskSection.model_validate(held.model_dump()) == held
