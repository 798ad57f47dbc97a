"""`recio check` beside a daemon: its own port that is taken is no fault, and what else listens there is named."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from recio.cli import main


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"reasons": [], "account": "0d25a51a"}')

    def log_message(self, *_: Any) -> None:
        pass


def said_of_the_page(folder: Path, port: int, capsys: pytest.CaptureFixture[str]) -> str:
    config = folder / "recio.toml"
    config.write_text(f'data_dir = "{folder}/data"\n[status]\nport = {port}\n', encoding="utf-8")
    with pytest.raises(SystemExit, match="0"):
        main(["check", str(config)])
    return next(line for line in capsys.readouterr().out.splitlines() if line.startswith("status page"))


def test_it_says_that_recio_runs_where_a_daemon_answers_at_the_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        said = said_of_the_page(tmp_path, server.server_port, capsys)
        server.shutdown()
    assert said.endswith("(recio runs there now: account 0d25a51a)")


def test_it_says_that_no_recio_answers_where_something_else_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        said = said_of_the_page(tmp_path, server.server_port, capsys)
        server.shutdown()
    assert "not free, and no recio answers there: " in said
