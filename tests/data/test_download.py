"""Downloads against a real server on loopback that misbehaves as servers do."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from trashseg.data.download import Download, download_all

BODY = bytes(range(256)) * 400


class Handler(BaseHTTPRequestHandler):
    """/ok, /flaky (two times 503), /cut (ends early once, then honours Range), /gone, /lying, /large."""

    seen: ClassVar[Counter] = Counter()
    ranges: ClassVar[list] = []

    def do_GET(self):
        self.seen[self.path] += 1
        times = self.seen[self.path]
        if self.path == "/gone" or (self.path == "/flaky" and times < 3):
            self.send_error(404 if self.path == "/gone" else 503)
            return
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if "Range" in self.headers else 0
        if start:
            self.ranges.append((self.path, start))
        body = BODY[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(10**9 if self.path == "/large" else len(body)))
        self.end_headers()
        cut = self.path == "/lying" or (self.path == "/cut" and times == 1)
        self.wfile.write(body[: len(body) // 3] if cut else body)

    def log_message(self, *words):
        """Quiet."""


@pytest.fixture
def server():
    Handler.seen.clear()
    Handler.ranges.clear()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def fetch(server, folder, *names, **options):
    downloads = [Download(name if ":" in name else f"{server}/{name}", folder / name.strip(":/")) for name in names]
    return download_all(downloads, **{"tries": 3, "pause_s": 0.01, "timeout_s": 5, **options})


def test_flaky_servers_are_asked_again(server, tmp_path):
    assert fetch(server, tmp_path, "ok", "flaky") == []
    assert (tmp_path / "ok").read_bytes() == (tmp_path / "flaky").read_bytes() == BODY
    assert Handler.seen["/flaky"] == 3


def test_a_cut_file_is_continued_where_it_ended(server, tmp_path):
    assert fetch(server, tmp_path, "cut") == []
    assert (tmp_path / "cut").read_bytes() == BODY
    assert Handler.ranges == [("/cut", len(BODY) // 3)]
    assert [path.name for path in tmp_path.iterdir()] == ["cut"]


def test_what_is_there_is_not_asked_for(server, tmp_path):
    (tmp_path / "ok").write_bytes(b"mine")
    assert fetch(server, tmp_path, "ok") == []
    assert (tmp_path / "ok").read_bytes() == b"mine"
    assert not Handler.seen


def test_what_cannot_be_had_is_reported_with_its_reason(server, tmp_path):
    missing = fetch(server, tmp_path, "gone", "lying", "large", "file:///etc/passwd", "ok", max_bytes=10**6)
    reasons = {fault.path.name: fault.reason for fault in missing}
    assert reasons["gone"] == "HTTP 404 Not Found"
    assert reasons["lying"].startswith("ended after") or "IncompleteRead" in reasons["lying"]
    assert reasons["large"] == "has 1000000000 bytes, expected at most 1000000"
    assert "is no http address" in reasons["passwd"]
    assert Handler.seen["/gone"] == 1, "what is gone is not asked for again"
    assert (tmp_path / "ok").read_bytes() == BODY


def test_no_server_at_all(tmp_path):
    (fault,) = fetch("http://127.0.0.1:9", tmp_path, "x", tries=1)
    assert "refused" in fault.reason
