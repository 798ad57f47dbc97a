"""The life of a droplet, on one booted machine with a real exchange: installed, installed again, upgraded, cut off, led back, taken away.

The tests are chapters (`make stories ONE=test_life`): each goes on where the one before ended. They need root, systemd-nspawn, the distribution's PostgreSQL, and a
folder with the packages of requirements.lock (`make wheels`, or RECIO_WHEELHOUSE); they are skipped, and say so, where one is missing.
RECIO_ROOTS names roots of other releases, RECIO_WHEELHOUSES the packages for the Python of each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.droplet.machine import REPOSITORY, Machine, booted, other_roots, why_not

RECIO, SECOND = "recio.service", "recio@two.service"
CREDENTIALS = "var/lib/sim/credentials.json"
SENTINEL = "opt/recio/needs-a-person"
INSTALLER = "/srv/source/deploy/install.sh"
OWN_HOUSE = Path(os.environ.get("RECIO_WHEELHOUSE", str(Path(sys.prefix) / "wheels")))
HOUSES = [Path(each) for each in os.environ.get("RECIO_WHEELHOUSES", "").split(":") if each]
ADDED = (
    "recio/db/migrations/0002_expand_two.sql",
    "CREATE TABLE two (x int); COMMENT ON TABLE two IS 'Writer: nobody.';",
)
AND_THREE = (
    "recio/db/migrations/0003_expand_three.sql",
    "CREATE TABLE three (x int); COMMENT ON TABLE three IS 'Writer: nobody.';",
)
NEVER_UP = ("recio/daemon/app.py", "\nraise RuntimeError('a release that is broken')\n")
SAME_KEY_ID = """
import sys, uuid
import recio.exchange_sim.credentials as credentials
from recio.cli import main
credentials.uuid4 = lambda: uuid.UUID(int=7)
sys.exit(main())
"""
"""An exchange that knows its account again after a loss of power, as the real one does."""
EXCHANGE = """
[Service]
ExecStart={python} /srv/exchange.py exchange --credentials /var/lib/sim --port 7000 --window-seconds 60
[Install]
WantedBy=multi-user.target
"""
VENUE = """
[kalshi]
environment = "demo"
key_id = "{key_id}"
key_path = "/run/credentials/{unit}/kalshi.pem"
rest_url = "{rest_url}"
ws_url = "{ws_url}"
request_timeout_seconds = 2.0
reconcile_every_seconds = 2.0
[prices]
coinbase_url = "{price_url}"
kraken_url = "{kraken_url}"
"""
KILLED = """
import os, signal, sys
sys.path.insert(0, "/opt/recio/current/deploy")
import upgrade
setattr(upgrade, sys.argv[1], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
sys.exit(upgrade.main(sys.argv[2:]))
"""
QUICK = ("--wait", "1", "--ready-within", "120", "--steady", "1")
KEPT = ["channels", "kalshi.pem", "on-failure", "recio-owner.dsn", "recio.toml"]
KEPT += ["two-owner.dsn", "two.channels", "two.pem", "two.toml"]


def missing() -> str:
    """What keeps an installation from being made on this machine's own root; empty if nothing does."""
    if reason := why_not():
        return reason
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return "the distribution's PostgreSQL is not installed"
    return "" if OWN_HOUSE.is_dir() else f"there are no packages in {OWN_HOUSE} (make wheels)"


OWN: list[tuple[Path | None, Path]] = [(None, OWN_HOUSE)] if not missing() else []
ALL = [*OWN, *zip(other_roots(), HOUSES, strict=False)]
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(why_not()) or not ALL, reason=f"nothing is installed here: {missing()}"),
]


@dataclass(slots=True)
class Droplet:
    machine: Machine

    def install(self, *options: str) -> str:
        """With what the machine has of its own: no package comes from outside."""
        common = ["--key-id", "a1", "--key", "/srv/key.pem", "--wheelhouse", "/srv/wheels", "--no-host"]
        return self.machine.run("/srv/source/deploy/install.sh", *common, *options, within=300)

    def leads_to_the_exchange(self, config: str, unit: str) -> None:
        venue = json.loads((self.machine.root / CREDENTIALS).read_text(encoding="utf-8"))
        path = self.machine.root / config
        before, rest = path.read_text(encoding="utf-8").split("[kalshi]")
        after = rest[rest.index("[status]") :].replace("enabled = false", "enabled = true")
        path.write_text(before + VENUE.format(unit=unit, **venue) + after, encoding="utf-8")

    def add_release(self, name: str, *changes: tuple[str, str]) -> None:
        """The release in use under another name, with text added to the end of some of its files."""
        place = self.machine.root / "opt/recio/releases" / name
        shutil.copytree(
            place.with_name(self.in_use()), place, symlinks=True, copy_function=os.link
        )  # rewritten below, never written into
        program = next((place / "lib").glob("python3*/site-packages"))
        for path, text in (
            *changes,
            ("../../../bin/recio", ""),
        ):
            file = program / path
            old = file.read_text(encoding="utf-8") if file.exists() else ""
            file.unlink(missing_ok=True)
            file.write_text(old + text, encoding="utf-8")
        script = f'#!/bin/sh\nexec /opt/recio/releases/{name}/bin/python -m recio "$@"\n'
        self.machine.write(f"/opt/recio/releases/{name}/bin/recio", script, 0o755)

    def upgrade(self, *options: str, code: int = 0) -> str:
        return self.said("/opt/recio/current/deploy/upgrade.py", *QUICK, *options, code=code)

    def killed_at(self, step: str, *options: str) -> str:
        """What an upgrade says that ends by kill -9 before that step."""
        self.machine.write("/srv/killed.py", KILLED)
        return self.said("python3", "/srv/killed.py", step, *QUICK, *options, code=137)

    def said(self, *command: str, code: int) -> str:
        said = self.machine.run("sh", "-c", '"$@" 2>&1; echo "code $?"', "sh", *command, within=300)
        assert said.splitlines()[-1] == f"code {code}", said + self.machine.journal(RECIO)[-2000:]
        return said

    def in_use(self) -> str:
        return (self.machine.root / "opt/recio/current").readlink().name

    def sentinel(self) -> str:
        place = self.machine.root / SENTINEL
        return place.read_text(encoding="utf-8") if place.exists() else ""

    def runs(self, release: str) -> bool:
        """The daemon of that release, with entries on: it follows its switch within a second."""
        assert (self.in_use(), self.sentinel()) == (release, "")
        return self.enters()

    def enters(self) -> bool:
        end = time.monotonic() + 30
        while not ((said := self.page()) and said["switches"]["entry"]):
            assert time.monotonic() < end, said
            time.sleep(0.2)
        return True

    def page(self) -> dict[str, Any]:
        """Empty where none answers."""
        said = self.machine.run("curl", "-sS", "http://127.0.0.1:8710/status", check=False)
        return json.loads(said) if said.startswith("{") else {}

    def called(self, words: str) -> bool:
        end = time.monotonic() + 20
        while words not in (calls := self.machine.run("cat", "/var/calls", check=False)):
            assert time.monotonic() < end, calls
            time.sleep(0.1)
        return True


def put_source(machine: Machine) -> None:
    """What a clone has, and no more."""
    tracked = subprocess.run(
        ["git", "-C", REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for each in map(Path, filter(None, tracked.split("\0"))):
        wanted = each.parts[0] in ("recio", "deploy", "systemd") or len(each.parts) == 1
        if wanted and (REPOSITORY / each).is_file():
            target = machine.root / "srv/source" / each
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / each, target)


def take_away_what_a_test_put_there(machine: Machine) -> None:
    for place in ("opt/recio", "etc/recio", "var/lib/recio"):
        shutil.rmtree(machine.root / place, ignore_errors=True)
    machine.run("sh", "-c", "rm -f /etc/systemd/system/recio*; userdel recio; systemctl daemon-reload", check=False)  # fmt: skip


@pytest.fixture(
    scope="module", params=ALL, ids=lambda each: each[0].name if each[0] else "this machine's root"
)
def droplet(request: pytest.FixtureRequest) -> Iterator[Droplet]:
    root, house = request.param
    with booted(root) as machine:
        take_away_what_a_test_put_there(machine)
        put_source(machine)
        shutil.copytree(house, machine.root / "srv/wheels")
        machine.run("sh", "-c", "mkdir -p /var/lib/sim; openssl genrsa -out /srv/key.pem 2048; cp /srv/key.pem /var/lib/sim/private_key.pem")  # fmt: skip
        machine.write("/srv/exchange.py", SAME_KEY_ID)
        machine.write("/etc/recio/on-failure", '#!/bin/sh\necho "$@" >> /var/calls\n', 0o755)
        machine.write(f"/etc/systemd/system/{RECIO}.d/test.conf", "[Service]\nRestartSec=1\n")
        yield Droplet(machine)


def test_installed_it_makes_accounts_a_database_with_three_roles_and_a_daemon_that_trades(droplet: Droplet):
    machine = droplet.machine
    assert "+ " in droplet.install("--no-start")
    assert machine.run("stat", "-c", "%a %U", "/var/lib/recio") == "700 recio"  # a restore begins there
    python = f"/opt/recio/releases/{droplet.in_use()}/bin/python"
    machine.write("/etc/systemd/system/sim.service", EXCHANGE.format(python=python))
    machine.run("sh", "-c", "systemctl daemon-reload; systemctl enable --now sim 2>&1")
    end = time.monotonic() + 60
    while not (machine.root / CREDENTIALS).exists():
        assert time.monotonic() < end, machine.journal("sim")
        time.sleep(0.1)
    droplet.leads_to_the_exchange("etc/recio/recio.toml", RECIO)
    droplet.install()
    assert "good (mode live, environment demo)" in machine.run("recio", "check", "/etc/recio/recio.toml")
    assert machine.run("stat", "-c", "%a %U", "/etc/recio/kalshi.pem") == "600 root"
    assert droplet.enters()
    for timer in ("recio-backup.timer", "recio-drill.timer", "recio-alive.timer", "recio-parity.timer"):
        assert machine.show(timer, "ActiveState") == "active"


def test_each_of_three_roles_may_what_it_should(droplet: Droplet):
    def asked(role: str, sql: str) -> str:
        words = ("runuser", "-u", role, "--", "psql", "-Atc", sql, "recio")
        return droplet.machine.run("sh", "-c", 'cd / && "$@" 2>&1', "sh", *words, check=False)

    assert asked("recio-read", "SELECT count(*) > 0 FROM runs") == "t"
    assert "permission denied" in asked("recio-read", "INSERT INTO switches DEFAULT VALUES")
    assert "permission denied" in asked("recio", "CREATE TABLE mine (x int)")
    assert "must be owner" in asked("recio", "DROP TABLE runs")
    assert asked("postgres", "SELECT tableowner FROM pg_tables WHERE tablename = 'runs'") == "recio-owner"


def test_installed_again_it_changes_nothing_and_the_daemon_goes_on(droplet: Droplet):
    pid = droplet.machine.show(RECIO, "MainPID")
    effects = [line for line in droplet.install().splitlines() if line.startswith("  + ")]
    assert [line for line in effects if "systemctl" not in line and "install -d" not in line] == []
    assert droplet.machine.show(RECIO, "MainPID") == pid


def test_a_release_that_does_not_come_up_is_left_again_and_a_person_is_demanded(droplet: Droplet):
    before = droplet.in_use()
    droplet.add_release("broken", ADDED, NEVER_UP)
    said = droplet.upgrade("--release", "broken", code=75)
    for words in ("backed up", "on a copy: 2: expand two", f"{before} runs on the tables", "ended by itself"):
        assert words in said
    assert droplet.in_use() == before
    assert droplet.enters()
    assert droplet.called("recio-upgrade.service rolled-back 1")
    assert f"from {before} to broken failed" in droplet.sentinel()
    assert "demands a person" in droplet.upgrade("--release", "broken", code=78)
    droplet.upgrade("--seen")
    assert droplet.runs(before)


def test_another_copy_that_loses_its_power_in_the_switch_leaves_a_daemon_that_starts_and_goes_on_to_the_end(
    droplet: Droplet,
):
    machine, before = droplet.machine, droplet.in_use()
    for path, text in (ADDED, AND_THREE):
        (machine.root / "srv/source" / path).write_text(text, encoding="utf-8")
    told = droplet.install("--no-start").strip().splitlines()[-1]
    release = told.split("upgrade.py --release ")[1]
    said = droplet.killed_at("put", "--release", release)
    assert " 0 come out otherwise" in said  # what the daemon recorded is decided again
    assert "on a copy: 3: expand three" in said  # and the broken one had come as far as the step before
    machine.cut_power()
    machine.boot()
    machine.until(RECIO, "ActiveState", "active")
    assert droplet.in_use() == before
    assert "was cut off in the middle" in droplet.upgrade("--release", release, code=78)
    assert f"switched from {before}" in droplet.upgrade("--go-on")
    assert droplet.runs(release)


def test_a_rollback_that_is_killed_with_the_daemon_down_is_finished_by_typing_it_again(droplet: Droplet):
    before = (droplet.machine.root / "opt/recio/previous").readlink().name
    droplet.killed_at("start", "--rollback")
    assert droplet.machine.show(RECIO, "ActiveState") == "inactive"
    assert "did not come to its end" in droplet.sentinel()
    said = droplet.machine.run("recio", "rollback", *QUICK, within=300)
    assert "goes on with the upgrade" in said
    assert droplet.runs(before)


def test_behind_caddy_as_the_recipe_says_only_a_login_reads_and_over_tls(droplet: Droplet):
    machine, name, log_in = (
        droplet.machine,
        "recio.example.org",
        {"name": "anna", "password": "five words drawn by chance"},
    )
    if not (machine.root / "usr/bin/caddy").exists():
        pytest.skip("caddy is not installed there (package caddy)")
    recipe = (REPOSITORY / "docs/operate/page.md").read_text(encoding="utf-8").split("# Caddyfile\n")[1]
    site = recipe.split("\n\n")[0].replace(
        f"{name} {{", f"{name} {{\ntls internal"
    )  # nobody signs a name that is made up
    options = "{\nadmin off\nskip_install_trust\nstorage file_system /srv/caddy\n}\n"
    machine.write("/srv/Caddyfile", options + site)
    config = machine.root / "etc/recio/recio.toml"
    reached = f'[status]\nhosts = ["{name}"]\nproxies = ["127.0.0.1"]\n'
    config.write_text(config.read_text(encoding="utf-8").replace("[status]\n", reached), encoding="utf-8")
    said = f"echo '{log_in['password']}' | recio login add anna --role reader --password-stdin"
    machine.run(
        "sh",
        "-c",
        f"{said} && systemctl restart recio; systemctl stop caddy; systemd-run --unit page caddy run --config /srv/Caddyfile 2>&1",
    )
    authority = "/srv/caddy/pki/authorities/local/root.crt"
    asks = (
        "curl",
        "-sS",
        "--cacert",
        authority,
        "--resolve",
        f"{name}:443:127.0.0.1",
        "-c",
        "/srv/jar",
        "-b",
        "/srv/jar",
    )
    code = ("-o", "/dev/null", "-w", "%{http_code}")
    end = time.monotonic() + 30
    while (found := machine.run(*asks, *code, f"https://{name}/status", check=False)) != "401":
        assert time.monotonic() < end, found + machine.journal("page")[-2000:]
        time.sleep(0.2)
    forged = ("-H", "X-Forwarded-For: 127.0.0.1", "-H", "X-Forwarded-Proto: http")
    assert machine.run(*asks, *code, *forged, f"https://{name}/status") == "401"
    headers = machine.run(*asks, "-o", "/dev/null", "-D", "-", f"https://{name}/")
    assert "strict-transport-security" in headers.lower()
    own = ("-H", f"Origin: https://{name}", "-H", "Content-Type: application/json", "-d", json.dumps(log_in))
    assert json.loads(machine.run(*asks, *own, f"https://{name}/api/v1/login"))["csrf"]
    assert json.loads(machine.run(*asks, f"https://{name}/status"))["version"]
    pushed = machine.run(*asks, "-N", "--max-time", "3", f"https://{name}/events", check=False)
    assert "data:" in pushed  # what is pushed is not held back by the proxy
    assert machine.run("curl", "-sS", *code, "http://127.0.0.1:8710/status") == "200"


def test_a_second_account_beside_the_first_disturbs_nobody(droplet: Droplet):
    pid = droplet.machine.show(RECIO, "MainPID")
    droplet.install("--instance", "two", "--port", "8711", "--key-id", "a2", "--no-start")
    droplet.leads_to_the_exchange("etc/recio/two.toml", SECOND)
    droplet.machine.run("systemctl", "start", SECOND)
    droplet.machine.until(SECOND, "ActiveState", "active")
    assert droplet.machine.show(RECIO, "MainPID") == pid
    named, by_name = ("--config", "/etc/recio/two.toml"), ("env", "RECIO_INSTANCE=two")
    for words in (("recio", "status", *named), (*by_name, "recio", "status"), (*by_name, "recio", "check")):
        assert "8711" in droplet.machine.run(*words)
    assert "8710" in droplet.machine.run(*by_name, "recio", "status", "--config", "/etc/recio/recio.toml")
    databases = droplet.machine.run("runuser", "-u", "postgres", "--", "psql", "-AtlF,").split()
    assert {"recio", "recio-two"} <= {each.split(",")[0] for each in databases}
    taken = json.loads((droplet.machine.root / CREDENTIALS).read_text(encoding="utf-8"))["key_id"]
    again = (INSTALLER, "--instance", "three", "--port", "8712", "--key", "/srv/key.pem", "--key-id", taken)
    said = droplet.said(*again, code=78)
    assert "is that of /etc/recio/recio.toml" in said
    assert "is that of /etc/recio/two.toml" in said


def test_one_account_is_taken_away_and_the_other_goes_on(droplet: Droplet):
    machine, pid = droplet.machine, droplet.machine.show(RECIO, "MainPID")
    droplet.install("--instance", "gone", "--port", "8712", "--key-id", "a3", "--no-start")
    assert "nothing was changed" in droplet.said(INSTALLER, "--uninstall", "--instance", "goner", code=78)
    droplet.said(INSTALLER, "--uninstall", "--instance", "gone", "--purge", code=0)
    assert machine.run("systemctl", "is-enabled", "recio@gone", check=False) == "disabled"
    assert "gone" not in machine.run("sh", "-c", "ls /etc/recio /var/lib; getent passwd")
    assert machine.show(RECIO, "MainPID") == pid
    assert machine.show(SECOND, "ActiveState") == "active"


def test_taken_away_it_leaves_config_and_data_and_purged_nothing(droplet: Droplet):
    machine = droplet.machine
    machine.run("/srv/source/deploy/install.sh", "--uninstall")
    assert machine.run("ls", "/etc/recio").split() == KEPT
    gone = "ls -d /opt/recio /etc/systemd/system/recio* /usr/local/bin/recio"
    assert machine.run("sh", "-c", gone, check=False) == ""
    machine.run("/srv/source/deploy/install.sh", "--uninstall", "--purge")
    left = "ls -d /etc/recio /var/lib/recio*; getent passwd | grep ^recio"
    assert machine.run("sh", "-c", left, check=False) == ""
