"""recio.toml: every key documented with its true default, and every fault named with its way out."""

from __future__ import annotations

import ast
import re
import tomllib
import typing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from recio.errors import BadConfig, ExitCode
from recio.settings.config import Config, known_keys, load, parse
from recio.settings.contradictions import bought_only_to_be_sold, bought_unwatched
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
    shipped = load(SHIPPED)
    # A relative path counts from the file, wherever the test is started.
    assert shipped.data_dir == str(ROOT / Config().data_dir)
    assert shipped.model_copy(update={"data_dir": Config().data_dir}) == Config()


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
        (
            "[strategies.calm.entry]\nmin_prob = 0.9",
            ["nearest known key is strategies.calm.entry.min_probability"],
        ),
        ("[strategies.calm.entry]\nstop_probability = 0.1", ["is strategies.calm.exit.stop_probability"]),
        ("[status]\nport = 70000", ["status.port", "70000", "65535"]),
        ('[status]\nport = "8710"', ["status.port", '"8710"', "without quotes"]),
        ("[entry]\nenabled = 1", ["entry.enabled", "1", "true or false"]),
        ("entry = 3", ["entry", "3", "[entry]"]),
        ('mode = "paper"', ['mode = "paper"', 'write "demo" or "live"']),
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
        ({"strategies": {"calm": {"stage": "lively"}}}, 'strategies.calm.stage = "lively" is refused'),
        ({"strategies": {"Calm One": {}}}, "strategies.Calm One"),
        ({"strategies": {"calm": 3}}, "strategies.calm"),
        ({"strategies": {"manual": {}}}, '"manual" is a name that recio itself uses'),
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
budget_dollars = 2.000001
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
    assert config.strategies["calm"].budget_dollars == 2_000_001


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
        ("entry.contracts = inf", "entry.contracts = inf is refused: must be a finite number"),
        ('entry.contracts = "10"', 'entry.contracts = "10" is refused: must be a number, without quotes'),
        ("entry.contracts = true", "entry.contracts = true is refused: must be a number, without quotes"),
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
    assert f'risk.{name} = "off" is refused: cannot be switched off: write a number' in said


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("exit.stop_price_dollars = 40", "did you mean 0.40?"),
        ("entry.max_price_dollars = 90", "a contract is worth one dollar at most: did you mean 0.90?"),
        ("entry.min_edge_dollars = 2.5", "did you mean 0.025?"),
        ("risk.price_collar_dollars = 5", "did you mean 0.05?"),
        ("exit.stop_probability = 25", "it is a fraction, not a percentage: did you mean 0.25?"),
        ("entry.kelly_fraction = 50", "did you mean 0.50?"),
        ("entry.max_price_dollars = 500", "must be at most 1"),
        ("status.port = 0", "must be at least 1"),
    ],
)
def test_cents_and_percents_are_refused_with_what_they_most_likely_mean(tmp_path: Path, text: str, told: str):
    said = refused(tmp_path, text)
    assert f"{text.split(' ')[0]} = " in said
    assert told in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[entry]\ncontracts = 60", ["entry.contracts", "risk.max_contracts_per_order"]),
        ("[risk]\nmax_contracts_per_strike = 5", ["entry.contracts", "risk.max_contracts_per_strike"]),
        ("[entry]\nmax_slippage_dollars = 0.06", ["entry.max_slippage_dollars", "risk.price_collar_dollars"]),
        ("[risk]\nmax_event_cost_dollars = 0.5", ["entry.contracts", "risk.max_event_cost_dollars"]),
        ("[risk]\nmax_daily_loss_dollars = 0.5", ["entry.contracts", "risk.max_daily_loss_dollars"]),
        (
            "[exit]\nmin_floor_dollars = 0.5\nstop_price_dollars = 0.4",
            ["exit.min_floor_dollars", "exit.stop_price_dollars", "never sell"],
        ),
        (
            "[exit]\nmin_floor_dollars = 0.5\ntake_profit_dollars = 0.4",
            ["exit.min_floor_dollars", "exit.take_profit_dollars", "never sell"],
        ),
        ("[exit]\nmin_hold_seconds = 825", ["exit.min_hold_seconds", "entry.max_seconds_to_close"]),
        ("[strategies.calm.entry]\ncontracts = 60", ["strategies.calm.entry.contracts"]),
        (
            "[entry]\nmin_edge_dollars = 0.9001",
            ["entry.min_edge_dollars = 0.9001", "entry.min_price_dollars"],
        ),
        (
            "[strategies.calm]\nbudget_dollars = 0.99",
            ["strategies.calm.entry.contracts", "strategies.calm.budget_dollars = 0.99"],
        ),
        (
            "[entry]\nsizing = 'kelly'\nkelly_bankroll_dollars = 0.4",
            ["entry.kelly_bankroll_dollars = 0.40", "min_contracts = 1.00", "nothing could ever be bought"],
        ),
        (
            "[exit]\nmin_floor_dollars = 0.9",
            ["exit.min_floor_dollars = 0.9000", "entry.max_price_dollars = 0.9000", "no stop could sell"],
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_both_names(
    tmp_path: Path, text: str, told: list[str]
):
    said = refused(tmp_path, text)
    for words in told:
        assert words in said


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "stop_price_dollars",
            "0.9",
            "exit.stop_price_dollars = 0.9000 is not below entry.max_price_dollars = 0.9000",
        ),
        ("stop_price_dollars", "0.8999", ""),
        (
            "take_profit_dollars",
            "0.1",
            "exit.take_profit_dollars = 0.1000 is not above entry.min_price_dollars = 0.1000",
        ),
        ("take_profit_dollars", "0.1001", ""),
        ("stop_probability", "1", "exit.stop_probability = 1 is above every probability"),
        ("stop_probability", "0.99", ""),
        (
            "time_stop_seconds_to_close",
            "840",
            "exit.time_stop_seconds_to_close = 840 is not below entry.max_seconds_to_close = 840",
        ),
        ("time_stop_seconds_to_close", "839", ""),
    ],
)
def test_what_would_be_bought_only_to_be_sold_is_told(name: str, value: str, told: str):
    config = parse({"exit": {name: Decimal(value)}}, "x")
    said = "".join(bought_only_to_be_sold(config.entry, config.exit))
    assert (said == "") is (told == "")
    assert told in said
    without = parse({"exit": {name: Decimal(value), "enabled": False}}, "x")
    assert not list(bought_only_to_be_sold(without.entry, without.exit))


@pytest.mark.parametrize("name", ["max_price_age_seconds", "max_book_age_seconds"])
def test_what_would_be_bought_on_what_exit_calls_too_old_is_told(name: str):
    def said(entry: int, **of_exit: object) -> str:
        config = parse({"entry": {name: entry}, "exit": {name: 10, **of_exit}}, "x")
        return "".join(bought_unwatched(config.entry, config.exit))

    assert said(10) == said(11, enabled=False) == ""
    assert f"entry.{name} = 11 is more than exit.{name} = 10" in said(11)


def test_pairs_at_the_very_edge_of_a_contradiction_are_none(tmp_path: Path):
    path = tmp_path / "recio.toml"
    path.write_text(
        "[entry]\ncontracts = 50\nmax_slippage_dollars = 0.05\n"
        "[exit]\nstop_price_dollars = 0.8999\ntake_profit_dollars = 0.95\nmin_floor_dollars = 0.8999\n"
        "min_hold_seconds = 824\n[risk]\nmax_event_cost_dollars = 5",
        encoding="utf-8",
    )
    assert load(path).entry.contracts == quantity("50")
    path.write_text(
        "[entry]\nmin_edge_dollars = 0.9\n[exit]\nstop_probability = 'off'\nmin_floor_dollars = 0.95\n"
        "[strategies.calm]\nbudget_dollars = 1\n[strategies.bold.entry]\nsizing = 'kelly'\n"
        "kelly_bankroll_dollars = 0.41\n",
        encoding="utf-8",
    )
    assert load(path).strategies["calm"].budget_dollars == money("1")


LIVE = 'mode = "live"\n[kalshi]\nenvironment = "{}"\nkey_id = "abc-1"\nkey_path = "key.pem"\n'


@pytest.mark.parametrize(
    ("environment", "line", "told"),
    [
        (
            "prod",
            'rest_url = "https://api.elections.kalshi.com/trade-api/v2/"',
            "must end with /trade-api/v2: write",
        ),
        (
            "prod",
            'rest_url = "https://api.elections.kalshi.com"',
            "write https://api.elections.kalshi.com/trade-api/v2",
        ),
        ("prod", 'rest_url = "http://api.elections.kalshi.com/trade-api/v2"', "begin it with https://"),
        ("prod", 'rest_url = "api.elections.kalshi.com/trade-api/v2"', "must begin with https:// and a host"),
        ("prod", 'rest_url = "https://api.elections.kalshi.com/trade-api/v2 "', "blank"),
        ("prod", 'rest_url = "https://me:pw@h/trade-api/v2"', "user or a password"),
        ("prod", 'rest_url = "https://https://h/trade-api/v2"', "write https://HOST/trade-api/v2"),
        ("demo", 'ws_url = "wss://external-api-ws.kalshi.com./trade-api/ws/v2"', 'environment "prod"'),
        ("prod", 'ws_url = "https://api.elections.kalshi.com/trade-api/ws/v2"', "must begin with wss://"),
        ("prod", 'ws_url = "wss://demo-api.kalshi.co/trade-api/ws/v2"', 'environment "demo"'),
        ("demo", 'rest_url = "https://external-api.kalshi.com/trade-api/v2"', 'environment "prod"'),
        ("demo", 'ws_url = "wss://external-api-ws.kalshi.com/trade-api/ws/v2"', 'write environment = "prod"'),
        ("demo", "[prices]\nkraken_url = 'https://ws.kraken.com/v2'", "prices.kraken_url"),
        ("demo", "[prices]\nbitstamp_url = 'ws://ws.bitstamp.net'", "unencrypted"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_the_one_to_write(
    tmp_path: Path, environment: str, line: str, told: str
):
    assert told in refused(tmp_path, LIVE.format(environment) + line)


@pytest.mark.parametrize(
    "line",
    [
        'rest_url = "https://me:hunter2@h/trade-api/v2"',
        'rest_url = "https://hunter2@h/trade-api/v2"',
        'rest_url = "http://me:hunter2@h/trade-api/v2"',
        'ws_url = "https://me:hunter2@h"',
        'ws_url = "wss://me:hun/ter2@h/trade-api/ws/v2"',
        'ws_url = "wss://me:x@hunter2@h/trade-api/ws/v2 "',
        'environment = "https://me:hunter2@h"',
        'rest_url = "https://me:hunter2 hunter2@h/trade-api/v2"',
        'ws_url = "wss://me:hunter2\\thunter2@h/trade-api/ws/v2"',
        "[prices]\nkraken_url = 'wss://me:hunter2@ws.kraken.com/v2'",
        "[prices]\nsources = ['wss://me:hunter2@ws.kraken.com/v2']",
    ],
)
def test_a_login_in_an_address_is_not_shown_whatever_else_is_wrong(tmp_path: Path, line: str):
    text = LIVE.format("demo")
    said = refused(tmp_path, (text.replace('environment = "demo"\n', "") if "env" in line else text) + line)
    assert "//(hidden)@" in said
    assert not any(secret in said for secret in ("hunter2", "hun/ter2", "me:"))


@pytest.mark.parametrize(
    "address", ["https:/me:hunter2@h", "me:hunter2@h", "me:hunter2@h//x@y", "https:me:hunter2@h"]
)
def test_a_login_is_not_shown_where_an_address_has_lost_its_slashes(tmp_path: Path, address: str):
    said = refused(tmp_path, LIVE.format("demo") + f'rest_url = "{address}"')
    assert "(hidden)@" in said
    assert not any(secret in said for secret in ("hunter2", "me:"))


@pytest.mark.parametrize(
    "host", ["external-api.demo.kalshi.co", "demo-api.kalshi.co", "127.0.0.1:8443", "proxy.example"]
)
def test_every_documented_host_of_an_environment_is_taken_and_so_is_one_of_nobodys(tmp_path: Path, host: str):
    path = tmp_path / "recio.toml"
    path.write_text(LIVE.format("demo") + f'rest_url = "https://{host}/trade-api/v2"', encoding="utf-8")
    assert load(path).kalshi.rest_url == f"https://{host}/trade-api/v2"


@pytest.mark.parametrize("key_id", ["abc ", "abc\\n", "äbc", '\\"abc\\"', "a b"])
def test_a_key_id_with_what_no_key_id_has_is_refused(tmp_path: Path, key_id: str):
    text = LIVE.format("demo").replace("abc-1", key_id)
    assert "is refused: is no API key id" in refused(tmp_path, text)


def test_a_key_in_the_place_of_its_path_is_refused_and_not_shown(tmp_path: Path):
    text = LIVE.format("demo").replace('"key.pem"', '"""-----BEGIN PRIVATE KEY-----\nSECRET\n"""')
    said = refused(tmp_path, text)
    assert "kalshi.key_path = (hidden)" in said
    assert "SECRET" not in said


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("localhost", "must begin with postgresql://"),
        ("mysql://x", "must begin with postgresql://"),
        ("host=/var/run dbname=recio", "must begin with postgresql://"),
        ("postgresql://u:hunter2@3@h/recio", "percent-encoded"),
        ("postgresql://u:hunter2@h:port/recio", "port"),
        ("postgresql://u:hunter2@h/recio?sslmode=on", "sslmode"),
        (" postgresql:///recio", "blank"),
    ],
)
def test_a_dsn_that_the_driver_would_not_take_is_refused_and_not_shown(tmp_path: Path, dsn: str, told: str):
    said = refused(tmp_path, f'[database]\ndsn = "{dsn}"')
    assert "database.dsn = (hidden) is refused: " in said
    assert told in said
    assert "hunter2" not in said


def test_a_way_around_a_pooler_is_refused_without_the_way_through_it_and_is_never_shown(tmp_path: Path):
    alone = refused(tmp_path, '[database]\ndirect_dsn = "postgresql://u:hunter2@h/recio"')
    assert "database.direct_dsn goes around the pooler of database.dsn" in alone
    wrong = refused(
        tmp_path, '[database]\ndsn = "postgresql:///recio"\ndirect_dsn = "mysql://u:hunter2@h/recio"'
    )
    assert "database.direct_dsn = (hidden) is refused" in wrong
    assert "hunter2" not in alone + wrong


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("mode = 'demo'".encode("utf-16"), "save it as UTF-8"),
        (b"# f\xfcr mich\n", "save it as UTF-8"),
        (b"[entry]\n[entry]\n", "Cannot declare [entry] twice"),
        (b"a=" + b"[" * 3000 + b"]" * 3000, "not valid TOML"),
        (b"x" * 200_000 + b" = 1", "unknown key xxx"),
        (b"#" * 1_000_001, "no config of recio"),
    ],
)
def test_a_file_that_is_no_config_is_refused_in_one_short_sentence(tmp_path: Path, raw: bytes, told: str):
    path = tmp_path / "recio.toml"
    path.write_bytes(raw)
    with pytest.raises(BadConfig) as caught:
        load(path)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_config_as_windows_writes_it_is_read(tmp_path: Path):
    path = tmp_path / "recio.toml"
    path.write_bytes(b"\xef\xbb\xbf[entry]\r\nenabled = true\r\n")
    assert load(path).entry.enabled


WRONG = ['"x"', "3", "-1", "1.5", "true", "[]", "[1]", '["x"]', "{a = 1}", "2026-01-01", "nan", '""', "1e30"]
LANGUAGE = re.compile(
    r"None|True|False|Decimal|datetime|Input should|Value error|tuple|\bstr\b|\bdict|pattern|valid (?!TOML)"
)


@pytest.mark.parametrize("value", WRONG)
def test_no_refusal_of_any_key_speaks_the_language_that_recio_is_written_in(tmp_path: Path, value: str):
    for key in known_keys():
        try:
            parse(
                tomllib.loads(f"{key.replace('NAME', 'calm')} = {value}", parse_float=Decimal), "recio.toml"
            )
        except BadConfig as caught:
            said = str(caught)
            assert not LANGUAGE.search(said), said
            assert key.rsplit(".", 1)[-1] in said or "symbols.BTC.series is missing" in said


def test_a_relative_path_counts_from_the_config_wherever_a_command_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "recio.toml"
    path.write_text(
        'data_dir = "data"\n[kalshi]\ncredentials_dir = "desk"\nkey_path = "../key.pem"', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    config = load(Path("etc/recio.toml"))
    assert Path(config.data_dir) == tmp_path / "etc" / "data"
    assert Path(config.kalshi.credentials_dir) == tmp_path / "etc" / "desk"
    assert Path(config.kalshi.key_path) == tmp_path / "etc" / ".." / "key.pem"


def test_an_installation_whose_data_lie_where_it_was_started_is_not_begun_anew_beside_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "etc").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "recio-data.json").write_text("{}", encoding="utf-8")
    (tmp_path / "etc" / "recio.toml").write_text('data_dir = "data"', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadConfig, match=f'write data_dir = "{tmp_path}/data"'):
        load(Path("etc/recio.toml"))


@pytest.mark.parametrize(
    ("written", "told"),
    [("$HOME/recio", "replaces no variables"), (" .recio", "blank"), ("a\\nb", "line break")],
)
def test_a_data_dir_that_cannot_be_meant_is_refused(tmp_path: Path, written: str, told: str):
    assert told in refused(tmp_path, f'data_dir = "{written}"')
