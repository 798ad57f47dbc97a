"""recio.toml: every key documented with its true default, and every fault named with its way out."""

from __future__ import annotations

import ast
import os
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from recio.errors import BadConfig, ExitCode
from recio.settings.config import Config, check_private_key_file, known_keys, load, parse
from recio.settings.renamed import KEYS, VALUES
from recio.settings.strategies import INHERITED
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


def test_any_coin_is_named_by_its_symbol_alone(tmp_path: Path):
    path = tmp_path / "recio.toml"
    path.write_text('[symbols.ETH]\nseries = ["KXETHD", "KXETH15M"]\n', encoding="utf-8")
    config = load(path)
    ether = config.symbols["ETH"]
    assert (ether.index, ether.coinbase, ether.kraken) == ("ETHUSD_RTI", "ETH-USD", "ETH/USD")
    assert (ether.bitstamp, ether.gemini) == ("ethusd", "ETHUSD")
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
    os.chmod(key, 0o640)
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
        ("entry.contracts = 100000.01", "entry.contracts = '100000.01' is refused: must be at most 100000"),
        ("entry.contracts = inf", "entry.contracts = 'Infinity' is refused: must be a finite number"),
        ('entry.contracts = "10"', "entry.contracts = '10' is refused: must be a number, without quotes"),
        ("entry.contracts = true", "entry.contracts = True is refused: must be a number, without quotes"),
        ("entry.min_edge_dollars = -0.01", "entry.min_edge_dollars = '-0.01' is refused: must be at least 0"),
        ("risk.max_open_cost_dollars = 1e-7", "has more than 6 decimals"),
        ("risk.max_open_cost_dollars = 10000001", "must be at most 10000000"),
        ("risk.max_contracts_per_order = 0", "must be at least 0.01"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_with_its_bound(tmp_path: Path, text: str, told: str):
    assert told in refused(tmp_path, text)


def test_no_code_builds_a_section_from_units():
    """A section is built from dollars: an integer unit given by keyword would be read as so many dollars."""
    for path in (ROOT / "recio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Section"):
                named = [each.arg or "" for each in node.keywords]
                assert not [each for each in named if "dollars" in each or "contracts" in each], path
