"""recio.toml: every key documented with its true default, and every fault named with its way out."""

from __future__ import annotations

import ast
import os
import re
import tomllib
import typing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from recio.errors import BadConfig, ExitCode
from recio.settings.config import Config, check_private_key_file, known_keys, load, parse
from recio.settings.prices import PricesSection
from recio.settings.renamed import KEYS, VALUES
from recio.settings.risk import RiskSection
from recio.settings.strategies import INHERITED, StrategySection
from recio.settings.system import HealthSection
from recio.settings.trading import EntrySection, ExitSection, ModelSection
from recio.settings.venue import KalshiSection
from recio.units import money, price, quantity

SECTIONS = set(Config.model_fields)
ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "recio.toml"


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recio.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig) as caught:
        load(path)
    assert caught.value.exit_code == ExitCode.CONFIG
    return str(caught.value)


def test_the_shipped_file_says_exactly_the_defaults():
    assert load(SHIPPED) == Config()


def test_the_shipped_file_shows_every_key_there_is():
    text = SHIPPED.read_text(encoding="utf-8")
    named = {key for key in known_keys() if key.startswith("strategies.NAME.")}
    assert leaves(tomllib.loads(text)) | SECTIONS == set(known_keys()) - named
    # A strategy stands there as an example only.
    for key in ("stage", "budget_dollars", "[strategies.calm.entry]"):
        assert f"# {key}" in text


def leaves(table: dict[str, Any], above: str = "") -> set[str]:
    """Every setting by its whole name."""
    found: set[str] = set()
    for name, value in table.items():
        whole = f"{above}{name}"
        found |= leaves(value, f"{whole}.") if isinstance(value, dict) else {whole}
    return found


@pytest.mark.parametrize("key", ["(by source)", "urls", "products"])
@pytest.mark.parametrize("section", ["prices", "symbols.BTC"])
def test_what_sources_keys_are_gathered_under_is_no_key_of_the_file(section: str, key: str):
    series = {"series": ["KXBTCD"]}
    table = {"prices": {key: {}}} if section == "prices" else {"symbols": {"BTC": series | {key: {}}}}
    with pytest.raises(BadConfig, match="unknown key"):
        parse(table, "recio.toml")


def test_any_coin_is_named_by_its_symbol_alone(tmp_path: Path):
    path = tmp_path / "recio.toml"
    path.write_text('[symbols.ETH]\nseries = ["KXETHD", "KXETH15M"]\n', encoding="utf-8")
    config = load(path)
    ether = config.symbols["ETH"]
    assert ether.index == "ETHUSD_RTI"
    assert ether.products == {
        "coinbase": "ETH-USD",
        "kraken": "ETH/USD",
        "bitstamp": "ethusd",
        "gemini": "ETHUSD",
    }
    assert config.series == {"KXETHD": "ETH", "KXETH15M": "ETH"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[symbols.BTC]\nseries = ["KXBTCD"]\n[symbols.ETH]\nseries = ["KXBTCD"]\n', "KXBTCD"),
        ("[symbols.BTC]\nseries = []\n", "symbols.BTC.series"),
        ('[symbols.BTC]\nseries = ["kxbtcd"]\n', "kxbtcd"),
        ('[symbols.BTC]\nseries = ["KXBTCD"]\nticker = "BRTI"\n', "symbols.BTC.ticker"),
        ('[symbols.btc]\nseries = ["KXBTCD"]\n', "btc"),
        ('[market]\nseries = "KXBTC15M"\n', "market.series"),
        ('[prices]\nsources = ["binance"]\n', "binance"),
    ],
)
def test_a_coin_or_source_that_cannot_be_is_refused_by_name(tmp_path: Path, text: str, words: str):
    assert words in refused(tmp_path, text)


def test_trading_starts_switched_off():
    assert Config().entry.enabled is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[entry]\nmin_edge_dolars = 0.02", ["entry.min_edge_dolars", "nearest", "entry.min_edge_dollars"]),
        ("min_edge_dollars = 0.02", ["min_edge_dollars", "entry.min_edge_dollars"]),
        ("[status]\nport = 70000", ["status.port", "70000", "65535"]),
        ('[status]\nport = "8710"', ["status.port", "'8710'", "without quotes"]),
        ("[entry]\nenabled = 1", ["entry.enabled", "1", "true or false"]),
        ("entry = 3", ["entry", "3", "[entry]"]),
        ('mode = "paper"', ["mode", "'paper'", "'demo' or 'live'"]),
        ('mode = "live"', ["live", "sim", "kalshi.environment"]),
        ("[entry]\nmin_edge_dollars = 0.00001", ["entry.min_edge_dollars", "0.00001", "4 decimals"]),
        ("[entry]\ncontracts = 0.001", ["entry.contracts", "0.001"]),
        ("[entry]\nmin_price_dollars = 0.95", ["min_price_dollars", "max_price_dollars"]),
        ("[entry]\ncontracts = nan", ["entry.contracts"]),
        ('[kalshi]\nenvironment = "prod"', ["mode", "prod"]),
        ('mode = "live"\n[kalshi]\nenvironment = "prod"', ["kalshi.key_id", "empty"]),
        ("[a", ["not valid TOML"]),
    ],
)
def test_a_fault_names_its_key_its_value_and_the_way_out(tmp_path: Path, text: str, words: list[str]):
    said = refused(tmp_path, text)
    for word in words:
        assert word in said


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BadConfig, match=r"gone\.toml"):
        load(tmp_path / "gone.toml")


def test_every_fault_is_told_at_once(tmp_path: Path):
    said = refused(tmp_path, "[status]\nport = -1\n[log]\nlevel = 'loud'")
    assert "status.port" in said
    assert "log.level" in said


def test_a_secret_dsn_never_appears_in_an_error_or_a_repr(tmp_path: Path):
    said = refused(tmp_path, '[database]\ndsn = "postgresql://me:hunter2@h/db"\nx = 1\n[status]\nport = "a"')
    assert "hunter2" not in said
    path = tmp_path / "recio.toml"
    path.write_text('[database]\ndsn = "postgresql://me:hunter2@h/db"', encoding="utf-8")
    assert "hunter2" not in repr(load(path))


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path):
    key = tmp_path / "key.pem"
    key.write_text("x", encoding="utf-8")
    os.chmod(key, 0o644)
    with pytest.raises(BadConfig, match="chmod 600"):
        check_private_key_file(key)
    os.chmod(key, 0o600)
    check_private_key_file(key)


def test_a_private_key_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(BadConfig, match=r"kalshi\.key_path.*No such file"):
        check_private_key_file(tmp_path / "gone.pem")


def test_a_strategy_takes_what_it_does_not_say_from_the_common_sections():
    table = {
        "entry": {"enabled": True, "contracts": 7, "min_edge_dollars": Decimal("0.03")},
        "exit": {"stop_probability": Decimal("0.3")},
        "strategies": {
            "calm": {"stage": "live", "budget_dollars": 30, "entry": {"min_edge_dollars": Decimal("0.05")}},
            "bold": {"model": {"time_of_day": False}},
        },
    }
    config = parse(table, "x")
    calm, bold = config.strategies["calm"], config.strategies["bold"]
    assert (calm.entry.enabled, calm.entry.contracts, calm.entry.min_edge_dollars) == (
        True,
        700,
        money("0.05"),
    )
    assert (calm.exit.stop_probability, calm.budget_dollars, calm.stage) == (0.3, 30_000_000, "live")
    assert (bold.entry.min_edge_dollars, bold.model.time_of_day, bold.stage) == (
        money("0.03"),
        False,
        "shadow",
    )
    assert config.as_strategy("calm").entry == calm.entry
    assert config.as_strategy("") is config
    with pytest.raises(BadConfig, match="it names: calm, bold"):
        config.as_strategy("clam")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            {"strategies": {"calm": {"entry": {"contarcts": 3}}}},
            "unknown key strategies.calm.entry.contarcts",
        ),
        ({"strategies": {"calm": {"stage": "lively"}}}, "strategies.calm.stage = 'lively' is refused"),
        ({"strategies": {"Calm One": {}}}, "strategies.Calm One"),
        ({"strategies": {"calm": 3}}, "strategies.calm"),
        ({"strategies": {"manual": {}}}, "'manual' is a name that recio itself uses"),
        (
            {"strategies": {"calm": {"entry": {"min_price_dollars": Decimal("0.95")}}}},
            "min_price_dollars must be below max_price_dollars",
        ),
    ],
)
def test_a_fault_in_a_strategy_names_it(table: dict[str, Any], told: str):
    with pytest.raises(BadConfig) as refused:
        parse(table, "x")
    assert told in str(refused.value)


def test_a_fault_in_a_common_section_is_told_once_however_many_strategies_take_it_over():
    with pytest.raises(BadConfig) as refused:
        parse({"entry": {"contracts": -1}, "strategies": {"calm": {}, "bold": {}}}, "x")
    assert str(refused.value).count("refused") == 1
    assert "entry.contracts" in str(refused.value)
    assert "strategies" not in str(refused.value)


PLACES = [(section, old, new) for (section, old), new in KEYS.items()]


@pytest.mark.parametrize(("section", "old", "new"), PLACES)
def test_an_old_key_is_refused_with_its_new_name(tmp_path: Path, section: str, old: str, new: str):
    said = refused(tmp_path, f"[{section}]\n{old} = 1")
    assert said.endswith(f": {section}.{old} is now called {new}: rename it")
    assert new in getattr(Config(), section).model_dump()
    assert old not in getattr(Config(), section).model_dump()


@pytest.mark.parametrize(("section", "old", "new"), [each for each in PLACES if each[0] in INHERITED])
def test_an_old_key_is_refused_in_a_strategy_too_and_told_where_it_stands(
    tmp_path: Path, section: str, old: str, new: str
):
    said = refused(tmp_path, f"[strategies.calm.{section}]\n{old} = 1")
    assert said.endswith(f": strategies.calm.{section}.{old} is now called {new}: rename it")
    common = refused(tmp_path, f"[{section}]\n{old} = 1\n[strategies.calm]\nstage = 'live'")
    assert common.endswith(f": {section}.{old} is now called {new}: rename it")
    assert "strategies" not in common


@pytest.mark.parametrize(("section", "key", "old", "new"), [(*place, new) for place, new in VALUES.items()])
@pytest.mark.parametrize("above", ["", "strategies.calm."])
def test_an_old_value_is_refused_with_its_new_name(
    tmp_path: Path, above: str, section: str, key: str, old: str, new: str
):
    said = refused(tmp_path, f'[{above}{section}]\n{key} = "{old}"')
    assert said.endswith(f': {above}{section}.{key} = "{old}" is now called "{new}": write that')
    parse({section: {key: new}}, "x")


def test_the_old_names_are_those_of_earlier_versions():
    """A new old name needs a line here, so that none is dropped unseen."""
    assert {f"{section}.{old}" for section, old in KEYS} == {
        "kalshi.silence_limit_seconds",
        "prices.silence_limit_seconds",
        "prices.stuck_seconds",
        "entry.spike_trigger_hundredths",
        "entry.spike_resume_hundredths",
        "exit.hold_for_seconds",
        "exit.momentum_stop_hundredths",
        "risk.order_deadline_seconds",
        "health.max_doubt_seconds",
    }
    assert VALUES == {("model", "kind", "fingerprint"): "empirical"}


AMOUNTS = """
[entry]
contracts = 12.34
min_edge_dollars = 0.0375
max_price_dollars = 0.8125
watch_edge_margin_dollars = 0
[risk]
max_contracts_per_order = 123456789.01
max_open_cost_dollars = 9999999.999999
price_collar_dollars = 1
[strategies.calm]
budget_dollars = 0.000001
"""


def test_dollars_and_contracts_are_exact_integers_under_the_name_of_their_key(tmp_path: Path):
    path = tmp_path / "recio.toml"
    path.write_text(AMOUNTS, encoding="utf-8")
    config = load(path)
    assert config.entry.contracts == quantity("12.34") == 1234
    assert config.entry.min_edge_dollars == money("0.0375") == 37_500
    assert config.entry.max_price_dollars == price("0.8125") == 8125
    assert config.entry.watch_edge_margin_dollars == 0
    assert config.risk.max_contracts_per_order == 12_345_678_901
    assert config.risk.max_open_cost_dollars == 9_999_999_999_999
    assert config.risk.price_collar_dollars == 10_000
    assert config.strategies["calm"].budget_dollars == 1


def test_a_dump_says_dollars_again_and_reads_back_as_the_same_config(tmp_path: Path):
    path = tmp_path / "recio.toml"
    path.write_text(AMOUNTS, encoding="utf-8")
    config = load(path)
    dumped = config.model_dump()
    assert dumped["risk"]["max_open_cost_dollars"] == Decimal("9999999.999999")
    assert dumped["entry"]["contracts"] == Decimal("12.34")
    assert Config.model_validate(dumped) == config
    assert parse(dumped, "a dump") == config
    assert Config.model_validate(Config().model_dump()) == Config()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("entry.contracts = 0", "entry.contracts = 0 is refused: must be at least 0.01"),
        ("entry.contracts = 100000.01", "entry.contracts = 100000.01 is refused: must be at most 100000"),
        ("entry.contracts = inf", "entry.contracts = Infinity is refused: must be a finite number"),
        ('entry.contracts = "10"', "entry.contracts = '10' is refused: must be a number, without quotes"),
        ("entry.contracts = true", "entry.contracts = True is refused: must be a number, without quotes"),
        ("entry.min_edge_dollars = -0.01", "entry.min_edge_dollars = -0.01 is refused: must be at least 0"),
        ("risk.max_open_cost_dollars = 1e-7", "has more than 6 decimals"),
        ("risk.max_open_cost_dollars = 10000001", "must be at most 10000000"),
        ("risk.max_contracts_per_order = 0", "must be at least 0.01"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_with_its_bound(tmp_path: Path, text: str, told: str):
    assert told in refused(tmp_path, text)


def test_no_code_builds_a_section_from_units():
    """A section is built from dollars: an integer unit given by keyword would be read as so many dollars."""
    for path in (path for root in ("recio", "tests", "benchmarks") for path in (ROOT / root).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Section"):
                named = [each.arg or "" for each in node.keywords]
                assert not [each for each in named if "dollars" in each or "contracts" in each], path


GATES = re.findall(
    r"^\| `(\w[\w.]*)` \| (\S+) \| [^|]* \| refused: (would [^|]*) \|$",
    (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
"""(key, default as written, what zero would do) of the table in docs/settings.md."""
NO_GATE = "entry.spike_resume_bp"
OFF_KEYS = [key.replace("NAME", "calm") for key, _, _ in GATES if key != NO_GATE]


def set_to(key: str, value: str) -> str:
    section, _, name = key.replace("NAME", "calm").rpartition(".")
    return f"[{section}]\n{name} = {value}"


def at(config: Config | dict[str, Any], key: str) -> object:
    found: Any = config
    for part in key.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    return found


def fields_with_off(model: type[BaseModel]) -> set[str]:
    return {
        name for name, field in model.model_fields.items() if type(None) in typing.get_args(field.annotation)
    }


def test_the_documented_gates_are_all_that_can_be_off():
    assert set(OFF_KEYS) == {
        *(f"entry.{name}" for name in fields_with_off(EntrySection)),
        *(f"exit.{name}" for name in fields_with_off(ExitSection)),
        *(f"strategies.calm.{name}" for name in fields_with_off(StrategySection)),
    }
    for section in (RiskSection, HealthSection, KalshiSection, PricesSection, ModelSection, Config):
        assert fields_with_off(section) == set()


@pytest.mark.parametrize(("key", "default", "effect"), GATES)
@pytest.mark.parametrize("zero", ["0", "0.0", "-0.0", "0e5"])
def test_zero_for_a_gate_is_refused_with_what_it_would_do(
    tmp_path: Path, key: str, default: str, effect: str, zero: str
):
    said = refused(tmp_path, set_to(key, zero))
    assert f"{key.replace('NAME', 'calm')} = " in said
    assert effect in said
    assert ('"off"' in said) is (key != NO_GATE)


@pytest.mark.parametrize("key", OFF_KEYS)
def test_off_is_said_with_a_word_and_read_as_none(tmp_path: Path, key: str):
    path = tmp_path / "recio.toml"
    path.write_text(set_to(key, '"off"'), encoding="utf-8")
    config = load(path)
    assert at(config, key) is None
    assert at(config.model_dump(), key) == "off"
    assert parse(config.model_dump(), "a dump") == config


@pytest.mark.parametrize("key", OFF_KEYS)
@pytest.mark.parametrize("value", ['"OFF"', '"none"', '""', "false", '"5"', "[]"])
def test_no_other_word_switches_a_gate_off(tmp_path: Path, key: str, value: str):
    assert 'must be a number without quotes, or "off"' in refused(tmp_path, set_to(key, value))


@pytest.mark.parametrize(("key", "default", "effect"), [each for each in GATES if "NAME" not in each[0]])
def test_the_documented_default_of_a_gate_is_the_true_one(key: str, default: str, effect: str):
    shown = at(Config().model_dump(), key)
    assert shown == ("off" if default == '`"off"`' else float(default))


@pytest.mark.parametrize("name", RiskSection.model_fields)
def test_a_limit_of_risk_is_never_off(tmp_path: Path, name: str):
    said = refused(tmp_path, f'[risk]\n{name} = "off"')
    assert f"risk.{name} = 'off' is refused: cannot be switched off: write a number" in said


@pytest.mark.parametrize(
    "name",
    [
        *("max_entries_per_event", "max_open_trades", "max_orders_per_minute", "max_event_cost_dollars"),
        *("max_open_cost_dollars", "max_daily_loss_dollars", "price_collar_dollars"),
    ],
)
def test_zero_of_a_limit_is_zero(tmp_path: Path, name: str):
    path = tmp_path / "recio.toml"
    path.write_text(f"[risk]\n{name} = 0", encoding="utf-8")
    assert at(load(path), f"risk.{name}") == 0


@pytest.mark.parametrize(
    "key",
    [
        *("entry.min_edge_dollars", "entry.min_price_dollars", "entry.max_slippage_dollars"),
        *("entry.min_seconds_to_close", "entry.cooldown_seconds", "entry.watch_edge_margin_dollars"),
        *("entry.watch_probability_margin", "exit.stop_confirm_seconds", "exit.min_hold_seconds"),
        *("exit.min_seconds_to_close", "exit.max_slippage_dollars", "exit.floor_step_dollars"),
        *("exit.retry_seconds", "market.pause_margin_seconds", "health.min_free_disk_megabytes"),
    ],
)
def test_zero_stays_a_number_where_it_means_zero(tmp_path: Path, key: str):
    path = tmp_path / "recio.toml"
    path.write_text(set_to(key, "0"), encoding="utf-8")
    assert at(load(path), key) == 0


def test_a_strategy_switches_a_common_gate_off_for_itself(tmp_path: Path):
    path = tmp_path / "recio.toml"
    path.write_text(
        "[entry]\nmax_spread_dollars = 0.05\n[strategies.calm.entry]\nmax_spread_dollars = 'off'\n"
        "[strategies.bold]\nbudget_dollars = 5\n",
        encoding="utf-8",
    )
    config = load(path)
    assert config.as_strategy("calm").entry.max_spread_dollars is None
    assert config.as_strategy("bold").entry.max_spread_dollars == price("0.05")
    assert config.strategies["bold"].budget_dollars == money("5")


def test_a_zero_in_a_common_section_is_told_once_and_in_a_strategy_where_it_stands(tmp_path: Path):
    said = refused(tmp_path, "[entry]\nmax_spread_dollars = 0\n[strategies.calm]\n[strategies.bold]\n")
    assert said.endswith(
        ': entry.max_spread_dollars = 0 would let nothing through: write "off" to switch the gate off'
    )
    assert "strategies" not in said
    said = refused(tmp_path, "[strategies.calm.exit]\nmomentum_stop_bp = 0")
    assert said.endswith(
        ": strategies.calm.exit.momentum_stop_bp = 0 would sell even while the price stands still:"
        ' write "off" to switch the stop off'
    )


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"sizing": "kelly"}, "needs kelly_bankroll_dollars"),
        ({"sizing": "kelly", "kelly_bankroll_dollars": "off"}, "needs kelly_bankroll_dollars"),
    ],
)
def test_kelly_needs_a_bankroll(table: dict[str, Any], told: str):
    with pytest.raises(BadConfig, match=told):
        parse({"entry": table}, "x")


def test_a_hard_stop_needs_the_stop_that_it_is_the_lower_one_of():
    with pytest.raises(BadConfig, match="hard_stop_probability needs stop_probability"):
        parse({"exit": {"stop_probability": "off", "hard_stop_probability": Decimal("0.1")}}, "x")
