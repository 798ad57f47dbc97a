"""An upgrade that loses its power before any of its effects: whatever is left is finished by --go-on, undone by a rollback, or refused with the way.

The machine is made up here, so that every instant can be had in a second; tests/droplet/test_life.py does some on a booted one.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.droplet.test_upgrade_choices import beside, files, upgrade

UNITS = ("recio.service", "recio@two.service")


class PowerLost(BaseException):
    """Nothing runs after it: no cleaning up either."""


@dataclass(slots=True)
class Plant:
    """A machine with two accounts, as far as an upgrade touches one."""

    place: Path
    takes_away: bool
    """Whether the migration is one that the old release does not run on."""
    up: dict[str, str] = field(default_factory=lambda: dict.fromkeys(UNITS, "old"))
    """Of each unit that runs, its release."""
    tables: dict[str, str] = field(default_factory=lambda: dict.fromkeys(UNITS, "old"))
    entries: dict[str, str] = field(default_factory=lambda: dict.fromkeys(UNITS, ""))
    """Of each account who switched entries off."""
    strategy_off: str = ""
    """A strategy of every account whose entries a person switched off beside that."""
    does_not_start: str = ""
    bought: int = 0
    """How often a daemon was stopped while entries of any strategy were on."""
    left: int = -1
    """Effects until the power goes; negative: it stays."""
    effects: int = 0

    def effect(self) -> None:
        if self.left == 0:
            raise PowerLost
        self.left -= 1
        self.effects += 1

    def current(self) -> str:
        return (self.place / "current").readlink().name

    def runs_on(self, release: str, unit: str) -> bool:
        return release == "new" or not (self.takes_away and self.tables[unit] == "new")

    def run(self, *command: str | Path, check: bool = True) -> str:
        match [str(each) for each in command]:
            case ["systemctl", "stop", unit]:
                self.effect()
                self.bought += unit in self.up and not self.entries[unit]
                self.up.pop(unit, None)
            case ["systemctl", "start", _, unit]:
                self.effect()
                self.start(unit)
            case ["systemctl", "show", "--value", "-p", name, unit]:
                return {"ActiveState": "active" if unit in self.up else "inactive", "NRestarts": "0"}.get(
                    name, ""
                )
            case [_, "--units-only"]:
                self.effect()
            case ["runuser", "-u", user, "--", "nice", "-n", "19", program, *words]:
                unit = UNITS[user.startswith("recio-two")]
                return self.recio(unit, Path(program).parent.parent.name, words)
            case _:
                pass
        return ""

    def start(self, unit: str) -> None:
        if unit != self.does_not_start and self.runs_on(self.current(), unit):
            self.up[unit] = self.current()

    def recio(self, unit: str, release: str, words: list[str]) -> str:
        match words:
            case ["switch", "entry", position, *_]:
                self.effect()
                self.entries[unit] = "upgrade" if position == "off" else ""
            case ["db", "migrate", "--config", *_]:
                self.effect()
                self.tables[unit] = "new"
            case ["db", "migrate", *_]:
                return "took step 2: a step\n"
            case ["tables", "--config", *_] if not self.runs_on(release, unit):
                raise files.Refused("no schema goes back")
            case ["tables", "--data-dir", *_] if self.takes_away and release == "old":
                raise files.Refused("no schema goes back")
            case _:
                pass
        return ""

    def status(self, account: Any) -> dict[str, Any] | None:
        off = self.entries[account.unit]
        switched = [{"switch": "entry", "strategy": None, "by": off}] if off else []
        if self.strategy_off:
            switched.append({"switch": "entry", "strategy": self.strategy_off, "by": "Ann"})
        said = {"switched_off": switched, "reasons": [], "positions": {}, "orders": [], "trades": []}
        return said if account.unit in self.up else None

    def boots(self) -> None:
        """What is enabled starts by itself, with what the link leads to."""
        for unit in UNITS:
            self.start(unit)

    def types(self, *words: str) -> int:
        return upgrade.main(["--wait", "0", "--steady", "0", "--ready-within", "0", "--one-way", *words])


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Plant]:
    """A new plant at each call, in place of the one before."""
    made: list[Plant] = []

    def counted(name: str) -> None:
        """An effect of the file system: it is done whole or not at all."""
        real = getattr(files, name)

        def done(*arguments: Any) -> None:
            made[-1].effect()
            real(*arguments)

        monkeypatch.setattr(files, name, done)

    def plant(takes_away: bool) -> Plant:
        place = tmp_path / str(len(made))
        made.append(Plant(place, takes_away))
        for each in ("old", "new", "older"):
            (place / "releases" / each).mkdir(parents=True)
            (place / "releases" / each / "complete").touch()
        (place / "current").symlink_to("releases/old")
        (place / "previous").symlink_to("releases/older")
        (place / "etc").mkdir()
        for name in ("recio", "two"):
            (place / "etc" / f"{name}.toml").touch()
        monkeypatch.setattr(files, "PLACE", place)
        for name, path in {
            "CURRENT": "current",
            "PREVIOUS": "previous",
            "SENTINEL": "needs-a-person",
        }.items():
            monkeypatch.setattr(files, name, place / path)
        monkeypatch.setattr(files, "UNDER_WAY", place / "under-way.json")
        monkeypatch.setattr(files, "HISTORY", place / "upgrades.log")
        for name in ("ETC", "STATES", "BACKUPS"):
            monkeypatch.setattr(files, name, place / "etc")
        return made[-1]

    for module in (files, upgrade, beside):
        monkeypatch.setattr(module, "run", lambda *words, **how: made[-1].run(*words, **how))
    for name in ("point", "write_whole"):
        counted(name)
    monkeypatch.setattr(files, "accounts", lambda: [files.Account(""), files.Account("two")])
    monkeypatch.setattr(files.Account, "status", lambda account: made[-1].status(account))
    monkeypatch.setattr(files, "call_somebody", lambda why: None)
    monkeypatch.setattr(upgrade.os, "geteuid", lambda: 0)
    monkeypatch.setattr(upgrade.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return plant


def is_whole(plant: Plant, release: str) -> bool:
    """Everything of one release, running, with entries as they were, and nothing left to do."""
    assert plant.current() == release
    assert plant.up == dict.fromkeys(UNITS, release)
    assert plant.entries == dict.fromkeys(UNITS, "")
    assert not (plant.place / "needs-a-person").exists()
    assert not (plant.place / "under-way.json").exists()
    return True


def effects_of_an_upgrade(make: Callable[[bool], Plant]) -> int:
    plant = make(False)
    assert plant.types("--release", "new") == upgrade.OK
    assert is_whole(plant, "new")
    assert (plant.place / "previous").readlink().name == "old"
    return plant.effects


def cut_off(plant: Plant, after: int, *, boots: bool) -> None:
    plant.left = after
    with pytest.raises(PowerLost):
        plant.types("--release", "new")
    plant.left = -1
    if boots:
        plant.up.clear()
        plant.boots()


@pytest.mark.parametrize("boots", [False, True], ids=["killed", "power lost"])
@pytest.mark.parametrize("takes_away", [False, True], ids=["tables added to", "tables taken from"])
def test_one_that_is_cut_off_anywhere_is_finished_by_going_on(
    make: Callable[[bool], Plant], boots: bool, takes_away: bool
):
    for after in range(effects_of_an_upgrade(make)):
        plant = make(takes_away)
        cut_off(plant, after, boots=boots)
        if (plant.place / "under-way.json").exists():
            assert plant.types("--go-on") == upgrade.OK
        assert is_whole(plant, plant.current())
        assert plant.types("--release", "new") == upgrade.OK
        assert is_whole(plant, "new")
        assert (plant.place / "previous").readlink().name == "old"


@pytest.mark.parametrize("boots", [False, True], ids=["killed", "power lost"])
def test_one_that_is_cut_off_anywhere_is_undone_by_a_rollback(make: Callable[[bool], Plant], boots: bool):
    for after in range(effects_of_an_upgrade(make)):
        plant = make(False)
        cut_off(plant, after, boots=boots)
        had_begun = (plant.place / "under-way.json").exists()
        assert plant.types("--rollback") == upgrade.OK
        # Where nothing had begun there is nothing to undo, and it leads to the release before like any other.
        assert is_whole(plant, "old" if had_begun else "older")


def test_a_way_back_that_is_cut_off_as_well_is_gone_to_its_end(make: Callable[[bool], Plant]):
    for after in range(6):
        plant = make(False)
        cut_off(plant, 12, boots=False)
        plant.left = after
        with pytest.raises(PowerLost):
            plant.types("--rollback")
        plant.left = -1
        assert plant.types("--rollback") == upgrade.OK
        assert is_whole(plant, "old")


def test_a_rollback_that_is_cut_off_is_finished_by_typing_it_again(make: Callable[[bool], Plant]):
    for after in range(2, 10):
        plant = make(False)
        assert plant.types("--release", "new") == upgrade.OK
        plant.left = after
        with pytest.raises(PowerLost):
            plant.types("--rollback")
        plant.left = -1
        assert plant.types("--rollback") == upgrade.OK
        assert is_whole(plant, "old")


def test_where_the_old_release_does_not_run_any_more_only_the_way_on_is_offered(
    make: Callable[[bool], Plant], capsys: pytest.CaptureFixture[str]
):
    plant = make(True)
    cut_off(plant, 12, boots=True)
    assert "new" in plant.tables.values()
    assert plant.types("--rollback") == upgrade.REFUSED
    assert "only the way on, --go-on" in capsys.readouterr().out
    assert plant.types("--release", "new") == upgrade.REFUSED
    assert "was cut off in the middle" in capsys.readouterr().out
    assert plant.types("--go-on") == upgrade.OK
    assert is_whole(plant, "new")


def test_what_a_person_switched_off_meanwhile_stays_off(make: Callable[[bool], Plant]):
    plant = make(False)
    cut_off(plant, 4, boots=False)
    plant.entries[UNITS[1]] = "Ann"
    assert plant.types("--rollback") == upgrade.OK
    assert plant.entries == {UNITS[0]: "", UNITS[1]: "Ann"}


def test_the_switch_of_one_strategy_is_none_of_all_and_stays_as_it_is(make: Callable[[bool], Plant]):
    plant = make(False)
    plant.strategy_off = "late"
    assert plant.types("--release", "new") == upgrade.OK
    assert plant.bought == 0
    assert is_whole(plant, "new")


@pytest.mark.parametrize("after", [3, 5], ids=["waiting", "switching"])
def test_while_a_page_does_not_answer_nobody_s_switch_is_turned_back(
    make: Callable[[bool], Plant], after: int, capsys: pytest.CaptureFixture[str]
):
    """Who switched entries off stands on that page alone; a daemon that comes up is waited for."""
    plant = make(False)
    cut_off(plant, after, boots=False)
    plant.up.pop(UNITS[1], None)
    plant.does_not_start = UNITS[1]
    plant.entries[UNITS[1]] = "Ann"
    plant.types("--rollback")
    assert plant.entries == {UNITS[0]: "", UNITS[1]: "Ann"}
    assert "entries of recio@two.service stay off" in capsys.readouterr().out


@pytest.mark.parametrize("written", range(3), ids=["the wait", "the switch", "the mark"])
def test_a_disk_that_is_full_before_anything_is_stopped_leaves_everything_as_it_was(
    make: Callable[[bool], Plant],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    written: int,
):
    """The backup and the new release beside may have filled it."""
    plant, real, left = make(False), files.write_whole, [written]

    def on_a_full_disk(*arguments: Any) -> None:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        real(*arguments)

    monkeypatch.setattr(files, "write_whole", on_a_full_disk)
    assert plant.types("--release", "new") == upgrade.REFUSED
    assert "No space left on device: nothing was switched" in capsys.readouterr().out
    assert is_whole(plant, "old")
    assert (plant.place / "previous").readlink().name == "older"


def test_a_record_that_is_damaged_is_refused_with_the_way_out(
    make: Callable[[bool], Plant], capsys: pytest.CaptureFixture[str]
):
    plant = make(False)
    (plant.place / "under-way.json").write_text("{", encoding="utf-8")
    assert plant.types("--go-on") == upgrade.REFUSED
    assert "look which release runs" in capsys.readouterr().out
