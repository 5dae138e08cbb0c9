"""`tfplm serve` at a terminal that goes away, at ports that are taken; what it says."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("zmq", reason="pip install 'tfplm[serve]'")
pytest.importorskip("httpx")
import httpx

from tests.serve.conftest import eventually, serving
from tests.serve.fake_engines import vectors_of
from tfplm.options.serve import ServeOptions
from tfplm.serve import command
from tfplm.serve.engines.engine import EngineInfo

CODE = """
import sys
from tests.serve.fake_engines import FakeEngine
from tfplm.serve import command
command.make_engine = lambda options: FakeEngine(seconds=1.0)
command.serve(source="fake", engine="vectors", port=0, port_out=0, http_port=int(sys.argv[1]))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(**keywords):
    """(process, HTTP port) of a server that takes a second for a batch."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", CODE, str(port)], stdin=subprocess.DEVNULL, **keywords)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


def healthy(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    return False


def ask_and_stop(process, port: int, number=signal.SIGTERM) -> None:
    """A request that is in flight when the server is told to stop is answered, and the exit status is 0."""
    assert eventually(lambda: healthy(port), 60)
    found = []
    url = f"http://127.0.0.1:{port}"
    thread = threading.Thread(target=lambda: found.append(httpx.post(f"{url}/encode", json={"texts": ["a"]})))
    thread.start()
    assert eventually(lambda: httpx.get(f"{url}/status/server").json()["tfplm"]["pending_sequences"])
    process.send_signal(number)
    thread.join(30)
    assert found[0].json()["result"] == vectors_of(["a"]).tolist()
    assert process.wait(30) == 0


pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def test_a_reader_of_stderr_that_has_gone():
    with running(stderr=subprocess.PIPE, text=True) as (process, port):
        assert any("serving at" in line for line in process.stderr)
        process.stderr.close()
        ask_and_stop(process, port)


@pytest.mark.slow
@pytest.mark.parametrize("stderr", ["full disk", "closed"])
def test_a_stderr_that_was_never_there(stderr):
    if stderr == "closed":
        with running(preexec_fn=lambda: os.close(2)) as (process, port):
            ask_and_stop(process, port)
    elif os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full, running(stderr=full) as (process, port):
            ask_and_stop(process, port)


@pytest.mark.slow
def test_a_terminal_that_is_closed():
    with running(stderr=subprocess.DEVNULL,
                 preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)) as (process, port):
        ask_and_stop(process, port, signal.SIGHUP)


def test_signals_end_it_once():
    ended = threading.Event()
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored where the tests run under nohup
    try:
        with command._signals(ended):
            os.kill(os.getpid(), signal.SIGHUP)
            assert ended.wait(5)
            os.kill(os.getpid(), signal.SIGHUP)  # terminals may say it several times
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with command._signals(ended := threading.Event()):
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
            assert not ended.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["port", "port_out", "http_port"])
def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(name, monkeypatch):
    monkeypatch.setattr(command, "make_engines", lambda options: pytest.fail("the model was loaded"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        options = {"port": 0, "port_out": 0, "http_port": 0, name: other.getsockname()[1]}
        with pytest.raises(OSError, match=rf"cannot listen at 127\.0\.0\.1:\d+: .*--{name.replace('_', '-')}"):
            command.make_server(ServeOptions(source="fake", engine="vectors", **options))


def test_a_model_that_cannot_be_loaded_gives_the_ports_back(monkeypatch):
    port = free_port()

    def make_engines(options):
        socket.create_connection(("127.0.0.1", port)).close()  # it listens already: clients wait in place of failing
        raise ValueError("no model")

    monkeypatch.setattr(command, "make_engines", make_engines)
    with pytest.raises(ValueError, match="no model"):
        command.make_server(ServeOptions(source="fake", engine="vectors", port=port, port_out=0))
    with serving(port=port):
        pass


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_addresses_of_ipv6(host):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with serving(host=host, http_port=0) as server:
        told = command.describe_addresses(server)
        url = re.search(r"http://\S+", told)[0]
        assert url == f"http://[::1]:{server.http_port}" and httpx.get(f"{url}/docs").status_code == 200
        assert "open to other machines" not in told


def test_what_was_loaded():
    assert command._describe(EngineInfo(parameters=22_713_216, warm_seconds=3.2)) == (
        "loaded, 22,713,216 parameters, warm in 3 s")
    assert command._describe(EngineInfo(parameters=5)) == "loaded, 5 parameters"
