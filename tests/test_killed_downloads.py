"""A download that is killed: the set is whole or absent, and the next one goes on."""

import gzip
import hashlib
import http.server
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

import keras
import numpy as np
import pytest

from cnnlib import datasets
from cnnlib.datasets.catalogue import IDX, SETS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
SHAPES = [(6, 28, 28), (6,), (4, 28, 28), (4,)]


def contents():
    rng, found = np.random.default_rng(0), {}
    for name, shape in zip(IDX, SHAPES, strict=True):
        array = rng.integers(0, 10, shape).astype("uint8")
        head = struct.pack(f">{array.ndim + 1}I", 0x0800 | array.ndim, *shape)
        found[name] = head + array.tobytes()
    return found


PLAIN = contents()
PACKED = {f"{name}.gz": gzip.compress(plain) for name, plain in PLAIN.items()}


class Slow(http.server.BaseHTTPRequestHandler):
    """Gives a file in pieces, so that it is killed in between, too."""

    pause = 0.0

    def do_GET(self):
        content = PACKED[self.path.strip("/")]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for start in range(0, len(content), 500):
            try:
                self.wfile.write(content[start : start + 500])
            except OSError:  # nobody listens any more
                return
            time.sleep(self.pause)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder, and a small Fashion-MNIST on a server of our own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    small = SETS["fashion_mnist"]._replace(
        idx={name: hashlib.sha256(c).hexdigest() for name, c in PLAIN.items()},
        download={name: f"{address}/{name}" for name in PACKED},
    )
    monkeypatch.setitem(SETS, "fashion_mnist", small)
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    yield tmp_path
    server.shutdown()
    server.server_close()


def started(before=lambda: None):
    """A process of its own that loads the set."""
    child = os.fork()
    if not child:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            before()
            datasets.load("fashion_mnist")
        finally:
            sys.settrace(None)
            os._exit(0)
    return child


def ended(child):
    """Whether it was killed, and not faster."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def whole_or_absent(folder):
    """Whether the set is there, if what is there is the whole of it."""
    there = [path.name for path in folder.iterdir() if path.name[0] != "."]
    if not there:
        return False
    assert there == ["fashion_mnist"]
    found = {p.name: p.read_bytes() for p in (folder / there[0]).iterdir()}
    assert found == PACKED
    return True


def goes_on(folder):
    """The set can be loaded; if it had to be downloaded, nothing else is left."""
    fetched = not whole_or_absent(folder)
    assert len(datasets.load("fashion_mnist").x_train) == 6
    assert whole_or_absent(folder)
    assert not fetched or [p.name for p in folder.iterdir()] == ["fashion_mnist"]


def killed_at_line(number):
    """The n-th line of what fetches and settles a set is not executed."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        if frame.f_code.co_name not in ("_download", "_settle", "part"):
            return None
        lines += event == "line"
        if lines == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return lambda: sys.settrace(trace)


def test_a_download_that_is_killed_at_a_line_is_whole_or_absent(folder):
    """Every other line; and where it is whole, the next one takes it."""
    number, killed, there = 1, True, []
    while killed:
        killed = ended(started(killed_at_line(number)))
        there.append(whole_or_absent(folder))
        if there[-1]:
            goes_on(folder)
            for path in (folder / "fashion_mnist").iterdir():
                path.unlink()
            (folder / "fashion_mnist").rmdir()
        number += 2
    assert len(there) > 8
    assert not all(there)
    assert there[-1]


def test_a_download_that_is_killed_at_any_moment_is_whole_or_absent(
    folder, monkeypatch
):
    monkeypatch.setattr(Slow, "pause", 0.005)
    start = time.monotonic()
    assert not ended(started())
    seconds = time.monotonic() - start
    for path in (folder / "fashion_mnist").iterdir():
        path.unlink()
    (folder / "fashion_mnist").rmdir()
    for _ in range(4):
        child = started()
        time.sleep(random.random() * seconds)
        os.kill(child, signal.SIGKILL)
        ended(child)
        if whole_or_absent(folder):
            break
    goes_on(folder)


def test_a_silent_server_is_given_half_a_minute_and_the_process_its_own(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    waits = []

    def get_file(*args, **options):
        waits.append(socket.getdefaulttimeout())
        raise OSError("no route to host")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(77)
    try:
        with pytest.raises(FileNotFoundError, match="no route to host"):
            datasets.load("mnist")
        assert socket.getdefaulttimeout() == 77
    finally:
        socket.setdefaulttimeout(before)
    assert waits == [30]
