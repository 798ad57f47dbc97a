"""PostgreSQL servers and a pgbouncer of the distribution, started for a test and ended with it; absent ones are skipped, and said so."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import unused_port

DISTRIBUTION = Path("/usr/lib/postgresql")
SETTINGS = ("fsync=off", "timezone=UTC", "max_connections=40")


def programs(version: int) -> Path:
    """The folder of that version's programs, the distribution's. Skips where it is not installed."""
    found = DISTRIBUTION / str(version) / "bin"
    if not (found / "initdb").exists():
        pytest.skip(f"PostgreSQL {version} is not installed: apt-get install postgresql-{version}")
    return found


def pgbouncer() -> str:
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    folder: Path
    port: int

    def dsn(self, database: str = "postgres", user: str = "boss", more: str = "sslmode=disable") -> str:
        return f"postgresql://{user}:secret@127.0.0.1:{self.port}/{database}?{more}"


@contextmanager
def unprivileged_folder() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="recio-server-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def as_server(arguments: Sequence[str | Path], folder: Path) -> None:
    """Run to its end as the server's account; what it says is in the failure."""
    done = subprocess.run(
        [str(each) for each in arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        user="postgres" if os.geteuid() == 0 else None,
        group="postgres" if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def server(
    binaries: Path, settings: Sequence[str] = (), files: dict[str, bytes] | None = None
) -> Generator[Server]:
    """A cluster on a port of this machine, where every user needs the password "secret"."""
    with unprivileged_folder() as folder:
        data, port = folder / "data", unused_port()
        (folder / "password").write_text("secret", encoding="utf-8")
        (folder / "password").chmod(0o644)
        as_server(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "boss",
                "--auth=scram-sha-256",
                f"--pwfile={folder}/password",
            ],
            folder,
        )
        for name, content in (files or {}).items():
            _put(data / name, content)
        _put(data / "pg_hba.conf", b"host all all 127.0.0.1/32 scram-sha-256\n")
        options = " ".join(f"-c {each}" for each in (*SETTINGS, *settings))
        as_server(
            [
                binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o",
                f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} {options}", "start",
            ],
            folder,
        )  # fmt: skip
        try:
            yield Server(folder=folder, port=port)
        finally:
            as_server([binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], folder)


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(path, account.pw_uid, account.pw_gid)


@contextmanager
def pooler(behind: Server, *, mode: str = "transaction", size: int = 3) -> Generator[Server]:
    """A pgbouncer in front of a server, with fewer sessions than the daemon has connections."""
    program = pgbouncer()
    with unprivileged_folder() as folder:
        port = unused_port()
        _put(folder / "users", b'"boss" "secret"\n"trader" "secret"\n"reader" "secret"\n')
        _put(
            folder / "ini",
            f"""[databases]
* = host=127.0.0.1 port={behind.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
server_tls_sslmode = disable
""".encode(),
        )
        running = subprocess.Popen(
            [program, str(folder / "ini")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            user="postgres" if os.geteuid() == 0 else None,
            group="postgres" if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )
        assert running.stderr is not None
        said: list[str] = []
        for line in running.stderr:
            said.append(line)
            if "process up" in line:
                break
        else:
            pytest.fail("".join(said))
        try:
            yield Server(folder=folder, port=port)
        finally:
            running.terminate()
            running.wait(timeout=20)
            running.stderr.close()
