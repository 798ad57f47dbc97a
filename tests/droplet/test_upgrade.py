"""deploy/upgrade.py on a booted machine with a real daemon and real releases, good and broken: tried, switched, and back by itself.

One machine serves all of them, one after another. Where none can be booted they are skipped, and say why.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.droplet.machine import PYTHON, REPOSITORY, SURROUNDINGS, Machine, booted, why_not
from tests.droplet.test_booted_unit import CONFIG, CREDENTIALS, EXCHANGE

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(why_not()), reason=f"no machine can be booted here: {why_not()}"),
]
RECIO = "recio.service"
SENTINEL = "opt/recio/needs-a-person"
ADDED = (
    "recio/db/migrations/0002_expand_two.sql",
    "CREATE TABLE two (x int); COMMENT ON TABLE two IS 'Writer: nobody.';",
)
NEVER_UP = ("recio/daemon/app.py", "\nraise RuntimeError('a release that is broken')\n")


@dataclass(slots=True)
class Droplet:
    machine: Machine

    def add_release(self, name: str, *changes: tuple[str, str]) -> None:
        """This checkout as a release, with text added to the end of some files."""
        place = self.machine.root / "opt/recio/releases" / name
        for folder in ("recio", "deploy", "systemd"):
            target = place / "src" / folder if folder == "recio" else place / folder
            shutil.copytree(REPOSITORY / folder, target)
        shutil.copy(REPOSITORY / "schema.sql", place / "src/recio/schema.sql")
        for path, text in changes:
            with (place / "src" / path).open("a", encoding="utf-8") as stream:
                stream.write(text)
        for word, module in (("python", ""), ("recio", " -m recio")):
            words = [each.replace("/srv/recio:", f"/opt/recio/releases/{name}/src:") for each in SURROUNDINGS]
            script = f'#!/bin/sh\nexec env {" ".join(words)} {PYTHON}{module} "$@"\n'
            self.machine.write(f"/opt/recio/releases/{name}/bin/{word}", script, 0o755)
        (place / "complete").touch()

    def upgrade(self, *options: str, code: int = 0) -> str:
        quick = ("--wait", "1", "--ready-within", "120", "--steady", "1.5")
        command = ["/opt/recio/current/deploy/upgrade.py", *quick, *options]
        said = self.machine.run("sh", "-c", '"$@" 2>&1; echo "code $?"', "sh", *command, within=300)
        assert said.splitlines()[-1] == f"code {code}", said + self.machine.journal(RECIO)[-2000:]
        return said

    def in_use(self) -> str:
        return (self.machine.root / "opt/recio/current").readlink().name

    def page(self) -> dict[str, Any]:
        return json.loads(self.machine.run("curl", "-sS", "http://127.0.0.1:8710/status"))

    def enters_again(self) -> bool:
        """A daemon follows its switch within a second."""
        end = time.monotonic() + 20
        while not self.page()["switches"]["entry"]:
            assert time.monotonic() < end, self.page()["reasons"]
            time.sleep(0.2)
        return True

    def sentinel(self) -> str:
        place = self.machine.root / SENTINEL
        return place.read_text(encoding="utf-8") if place.exists() else ""

    def calls(self) -> str:
        return self.machine.run("cat", "/run/calls", check=False)


@pytest.fixture(scope="module")
def droplet() -> Iterator[Droplet]:
    with booted(None) as machine:
        shutil.rmtree(machine.root / "opt/recio/current")
        found = Droplet(machine)
        found.add_release("one")
        (machine.root / "opt/recio/current").symlink_to("releases/one")
        machine.write("/etc/systemd/system/sim.service", EXCHANGE.replace("current", "releases/one"))
        machine.write("/etc/recio/on-failure", '#!/bin/sh\necho "$@" >> /run/calls\n', 0o755)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "sim")
        end = time.monotonic() + 60
        while not (machine.root / CREDENTIALS.lstrip("/")).exists():
            assert time.monotonic() < end, machine.journal("sim")
            time.sleep(0.1)
        venue = json.loads((machine.root / CREDENTIALS.lstrip("/")).read_text(encoding="utf-8"))
        key = machine.root / venue["key_path"].lstrip("/")
        machine.write("/etc/recio/kalshi.pem", key.read_text(encoding="utf-8"), 0o600)
        machine.write("/etc/recio/recio.toml", CONFIG.format(dsn="", **venue) + "[entry]\nenabled = true\n")
        machine.run("systemctl", "enable", "--quiet", RECIO)
        machine.run("systemctl", "start", RECIO)
        yield found


def test_a_release_that_does_not_come_up_is_left_again_and_a_person_is_demanded(droplet: Droplet):
    droplet.machine.until(RECIO, "ActiveState", "active")
    droplet.add_release("broken", ADDED, NEVER_UP)
    said = droplet.upgrade("--release", "broken", code=75)
    for words in ("backed up", "done on a copy: 2: expand two", "one runs on the tables", "ended by itself"):
        assert words in said
    assert droplet.in_use() == "one"
    assert droplet.machine.show(RECIO, "ActiveState") == "active"
    assert droplet.enters_again()
    assert "recio-upgrade.service rolled-back 1" in droplet.calls()
    assert "from one to broken failed" in droplet.sentinel()
    assert "demands a person" in droplet.upgrade("--release", "broken", code=78)
    droplet.upgrade("--seen")
    assert droplet.sentinel() == ""


def test_a_release_that_is_mended_is_tried_on_what_the_broken_one_left_and_taken_into_use(droplet: Droplet):
    droplet.add_release("two", ADDED)
    said = droplet.upgrade("--release", "two")
    assert "come out otherwise" in said  # what the daemon recorded is decided again
    assert " 0 come out otherwise" in said
    assert "switched from one to two" in said
    assert (droplet.in_use(), droplet.sentinel()) == ("two", "")
    assert droplet.enters_again()


def test_back_to_the_release_before_on_tables_that_were_added_to(droplet: Droplet):
    said = droplet.upgrade("--rollback")
    assert "switched from two to one" in said
    assert (droplet.in_use(), droplet.sentinel()) == ("one", "")
    assert droplet.machine.show(RECIO, "ActiveState") == "active"
