"""tinyres/data/download.py against servers on this machine: good ones, broken ones and liars."""

import contextlib
import hashlib
import io
import os
import random
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from doomed import CAN_FORK, begin_download

from tinyres.data import DataError
from tinyres.data.download import BLOCK, Archive, data_home, fetch

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Good(BaseHTTPRequestHandler):
    """Serves `content`, whole or from the byte asked for, and notes in `server.asked` what was asked for."""

    content = CONTENT

    def do_GET(self):
        self.server.asked.append(self.headers["Range"])
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.answer(start)

    def answer(self, start):
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.end_headers()
        self.send_body(start)

    def send_body(self, start):
        self.wfile.write(self.content[start:])

    def log_message(self, *args):
        pass


class BreaksOff(Good):
    """Promises everything, hangs up after 60,000 bytes."""

    def send_body(self, start):
        self.wfile.write(self.content[start : start + 60_000])


class HangsUp(Good):
    def send_body(self, start):
        pass


class KnowsNoRanges(Good):
    def answer(self, start):
        super().answer(0)


class OtherRange(Good):
    """Sends the end of the file, whichever part was asked for."""

    def answer(self, start):
        super().answer(len(self.content) - 10)


class OtherContent(Good):
    content = bytes(len(CONTENT))


class Shorter(Good):
    content = CONTENT[:-1]


class Endless(Good):
    """Gives no length and does not stop where it should."""

    def answer(self, start):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):  # the client is expected to hang up
            for _ in range(100):
                self.wfile.write(self.content)


class NotFound(Good):
    def answer(self, start):
        self.send_error(404)


@pytest.fixture
def start_server(monkeypatch):
    """A function: starts a server with this handler, which ends with the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TINYRES_MIRRORS", raising=False)
    running = []

    def start(handler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def archive_at(*servers):
    return Archive("data.bin", len(CONTENT), SHA256, tuple(f"{server.url}/data.bin" for server in servers))


def assert_only_the_content_is_there(folder):
    assert [path.name for path in folder.iterdir()] == ["data.bin"]
    assert (folder / "data.bin").read_bytes() == CONTENT


def test_fetches_the_file_once(start_server, tmp_path):
    server = start_server(Good)
    for _ in range(2):
        assert fetch(archive_at(server), tmp_path / "new" / "folder") == tmp_path / "new" / "folder" / "data.bin"
    assert_only_the_content_is_there(tmp_path / "new" / "folder")
    assert server.asked == [None]


@pytest.mark.faults("download: damaged afterwards")
def test_a_file_that_was_damaged_is_fetched_again(start_server, tmp_path):
    (tmp_path / "data.bin").write_bytes(bytes(len(CONTENT)))
    fetch(archive_at(start_server(Good)), tmp_path)
    assert_only_the_content_is_there(tmp_path)


@pytest.mark.faults("download: interrupted")
def test_an_earlier_download_is_continued(start_server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    server = start_server(Good)
    fetch(archive_at(server), tmp_path)
    assert_only_the_content_is_there(tmp_path)
    assert server.asked == ["bytes=1000-"]


@pytest.mark.faults("download: interrupted")
def test_a_connection_that_keeps_breaking_is_continued_each_time(start_server, tmp_path):
    server = start_server(BreaksOff)
    fetch(archive_at(server), tmp_path)
    assert_only_the_content_is_there(tmp_path)
    assert server.asked == [None, "bytes=60000-", "bytes=120000-", "bytes=180000-", "bytes=240000-"]


@pytest.mark.faults("download: interrupted")
def test_a_download_that_was_complete_but_not_renamed_needs_no_server(tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    fetch(Archive("data.bin", len(CONTENT), SHA256, ("http://127.0.0.1:9/data.bin",)), tmp_path)
    assert_only_the_content_is_there(tmp_path)


@pytest.mark.faults("download: interrupted")
def test_a_server_that_knows_no_ranges_starts_anew(start_server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(b"rubbish")
    server = start_server(KnowsNoRanges)
    fetch(archive_at(server), tmp_path)
    assert_only_the_content_is_there(tmp_path)
    assert server.asked == ["bytes=7-"]


@pytest.mark.faults("download: wrong content or length")
@pytest.mark.parametrize("rubbish", [b"rubbish", bytes(len(CONTENT)), bytes(2 * len(CONTENT))])
def test_a_bad_beginning_is_thrown_away_after_the_check(start_server, tmp_path, rubbish):
    (tmp_path / "data.bin.part").write_bytes(rubbish)
    fetch(archive_at(start_server(Good)), tmp_path)
    assert_only_the_content_is_there(tmp_path)


@pytest.mark.faults("download: wrong content or length")
@pytest.mark.parametrize("bad", [OtherContent, Shorter, Endless, NotFound, HangsUp])
def test_the_second_mirror_is_used_if_the_first_fails(start_server, tmp_path, bad):
    servers = start_server(bad), start_server(Good)
    fetch(archive_at(*servers), tmp_path)
    assert_only_the_content_is_there(tmp_path)
    assert [len(server.asked) for server in servers] == [1, 1]


@pytest.mark.faults("download: interrupted")
def test_what_one_mirror_began_another_continues(start_server, tmp_path):
    class BreaksOffThenIsGone(BreaksOff):
        def answer(self, start):
            if start:
                self.send_error(503)
            else:
                super().answer(start)

    second = start_server(Good)
    fetch(archive_at(start_server(BreaksOffThenIsGone), second), tmp_path)
    assert_only_the_content_is_there(tmp_path)
    assert second.asked == ["bytes=60000-"]


@pytest.mark.faults("download: wrong content or length")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (OtherContent, f"expected SHA-256 {SHA256}, got "),
        (Shorter, "expected status 200 and 256000 bytes, got 200 and 255999 bytes"),
        (NotFound, "HTTP Error 404"),
        (HangsUp, "broke off after 0 of 256,000 bytes"),
    ],
)
def test_if_all_fail_the_error_gives_each_reason_and_nothing_bad_is_kept(start_server, tmp_path, bad, reason):
    servers = start_server(NotFound), start_server(bad)
    with pytest.raises(DataError, match=r"data\.bin: could not be downloaded") as caught:
        fetch(archive_at(*servers), tmp_path)
    assert f"{servers[0].url}/data.bin: HTTP Error 404" in str(caught.value)
    assert reason in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert all(path.stat().st_size == 0 for path in tmp_path.iterdir())


@pytest.mark.faults("download: wrong content or length")
def test_an_endless_answer_is_not_listened_to(start_server, tmp_path):
    with pytest.raises(DataError) as caught:
        fetch(archive_at(start_server(Endless)), tmp_path)
    got = re.search(r"expected 256,000 bytes, got ([\d,]+)", str(caught.value))[1]
    assert len(CONTENT) < int(got.replace(",", "")) <= len(CONTENT) + BLOCK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.faults("download: wrong content or length")
def test_the_wrong_range_is_refused_and_what_came_before_is_kept(start_server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(DataError, match=r"expected the range 'bytes 1000-255999/256000', got 'bytes 255990-"):
        fetch(archive_at(start_server(OtherRange)), tmp_path)
    assert (tmp_path / "data.bin.part").read_bytes() == CONTENT[:1000]


@pytest.mark.faults("download: interrupted")
def test_nobody_listens(tmp_path):
    with pytest.raises(DataError, match="refused"):
        fetch(Archive("data.bin", len(CONTENT), SHA256, ("http://127.0.0.1:9/data.bin",)), tmp_path)


def test_only_http_is_spoken(tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    with pytest.raises(DataError, match="expected an address that starts with http:// or https://"):
        fetch(Archive("data.bin", len(CONTENT), SHA256, (f"file://{tmp_path}/secret",)), tmp_path)


def test_mirrors_of_the_users_come_first(start_server, tmp_path, monkeypatch):
    own, published = start_server(Good), start_server(Good)
    monkeypatch.setenv("TINYRES_MIRRORS", f"{start_server(NotFound).url}/ {own.url}/")
    fetch(archive_at(published), tmp_path)
    assert (own.asked, published.asked) == ([None], [])


def test_a_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "occupied").touch()
    with pytest.raises(DataError, match=r"occupied: cannot be created \(.*\); name another in \$TINYRES_DATA"):
        fetch(archive_at(), tmp_path / "occupied")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal(start_server, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal())
    fetch(archive_at(start_server(Good)), tmp_path)
    assert "data.bin" in sys.stderr.getvalue()
    assert "256.0/256.0 kB" in sys.stderr.getvalue()


def test_progress_is_one_line_elsewhere_and_none_if_quiet(start_server, tmp_path, capsys):
    server = start_server(Good)
    fetch(archive_at(server), tmp_path / "a")
    assert capsys.readouterr().err == f"tinyres: downloading {tmp_path}/a/data.bin.part (0 MB)\n"
    fetch(archive_at(server), tmp_path / "b", quiet=True)
    assert capsys.readouterr().err == ""


def test_where_data_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TINYRES_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert data_home() == tmp_path / ".cache" / "tinyres"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert str(data_home()) == "/caches/tinyres"
    monkeypatch.setenv("TINYRES_DATA", "/data/sets")
    assert str(data_home()) == "/data/sets"


# ---- slow and lying servers, a process that is killed, a disk that is full -------------------------------------------


class Throttled(Good):
    """A few bytes at a time."""

    def send_body(self, start):
        for place in range(start, len(self.content), 20_000):
            self.wfile.write(self.content[place : place + 20_000])
            time.sleep(0.01)


class Stalls(Good):
    """Sends 90,000 bytes and then nothing, without hanging up."""

    def send_body(self, start):
        self.wfile.write(self.content[start : start + 90_000])
        if start + 90_000 < len(self.content):
            time.sleep(0.5)


class SaysMore(Good):
    """Announces a byte too many."""

    def answer(self, start):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content) + 1))
        self.end_headers()
        self.send_body(0)


class SaysNonsense(Good):
    def answer(self, start):
        self.send_response(200)
        self.send_header("Content-Length", "many")
        self.end_headers()
        self.send_body(0)


class RightRangeOtherBytes(Good):
    """What it continues with is not the file's."""

    def send_body(self, start):
        self.wfile.write(bytes(len(self.content) - start) if start else self.content)


@pytest.mark.faults("download: throttled or stalled")
@pytest.mark.parametrize("slow", [Throttled, Stalls])
def test_a_slow_server_is_waited_for_and_a_silent_one_asked_again(start_server, tmp_path, monkeypatch, slow):
    monkeypatch.setattr("tinyres.data.download.TIMEOUT", 0.3)
    server = start_server(slow)
    fetch(archive_at(server), tmp_path)
    assert_only_the_content_is_there(tmp_path)
    assert server.asked == ([None] if slow is Throttled else [None, "bytes=90000-", "bytes=180000-"])


@pytest.mark.faults("download: wrong content or length")
@pytest.mark.parametrize("liar", [SaysMore, SaysNonsense, RightRangeOtherBytes])
def test_a_liar_cannot_spoil_what_another_has(start_server, tmp_path, liar):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    fetch(archive_at(start_server(liar), start_server(Good)), tmp_path)
    assert_only_the_content_is_there(tmp_path)


@pytest.mark.faults("download: killed by kill -9")
@pytest.mark.skipif(not CAN_FORK, reason="processes are forked from a server, which is not for this system")
def test_a_process_that_is_killed_while_it_downloads(start_server, tmp_path, fault):
    server = start_server(Throttled)
    draws = random.Random(0)
    for number in range(5):
        folder = tmp_path / str(number)
        with fault():
            process = begin_download(archive_at(server), folder)
            while process.is_alive() and not (folder / "data.bin.part").exists():
                time.sleep(0.001)
            time.sleep(draws.uniform(0, 0.12))
            process.kill()
            process.join()
            fetch(archive_at(server), folder)
            assert_only_the_content_is_there(folder)


@pytest.mark.faults("download: disk full")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no /dev/full")
def test_a_full_disk_is_named_and_what_came_is_kept(start_server, tmp_path, monkeypatch, fault):
    server = start_server(Good)
    with fault():
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.open", lambda path, mode: open("/dev/full", mode))  # noqa: SIM115
            with pytest.raises(DataError, match="No space left on device"):
                fetch(archive_at(server), tmp_path)
        fetch(archive_at(server), tmp_path)
        assert_only_the_content_is_there(tmp_path)
