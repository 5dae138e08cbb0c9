"""`tfplm serve`: loads the model, serves it, and ends when told to."""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator, Sequence

from tfplm.options.base import verb
from tfplm.options.serve import HTTP_PORT, LOOPBACK, ServeOptions
from tfplm.serve.engines.catalogue import choose, make_engine
from tfplm.serve.engines.engine import Engine, EngineInfo
from tfplm.serve.terminal import hold_streams, log_to_terminal, say


@verb(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Serves a model until SIGINT, SIGTERM, SIGHUP, or a client's TERMINATION; then pending requests are answered.

    ImportError names the extra to install; OSError the port that is not to be had; and what loading a model raises.
    """
    hold_streams()
    server = make_server(options)
    try:
        with _signals(server.ended):
            server.start()
            _say(options, describe_addresses(server))
            if server.http_port:
                _say(options, f"all paths: {_url(server)}/docs")
            server.wait()
            _say(options, "stopping: pending requests are answered; once more stops at once")
            served = server.stop()
    finally:
        for engine in server.engines:
            engine.close()
    if not served:
        _say(options, f"not all was answered within {options.drain_seconds:g} s")


def make_server(options: ServeOptions):
    """A `Server` with engines of its own, not yet started. Its ports are taken before the model is loaded."""
    options = _with_interface(options)
    from tfplm.serve.ports import open_ports
    from tfplm.serve.server import Server

    log_to_terminal(options.verbose)
    _raise_file_limit()
    ports = open_ports(options, options.engine == "vectors")
    engines: Sequence[Engine] = []
    try:
        engines = make_engines(options)
        return Server(options, engines, ports)
    except BaseException:
        ports.close()
        for engine in engines:
            engine.close()
        raise


def make_engines(options: ServeOptions) -> Sequence[Engine]:
    """One engine in this process, or `num_worker` of them in processes of their own."""
    _say(options, f"loading {options.source}")
    engines: Sequence[Engine]
    if options.num_worker == 1:
        engines = [make_engine(options)]
    else:
        from tfplm.serve.engines.process_engine import make_in_process, start_engines

        engines = start_engines(make_in_process, [(options, number) for number in range(options.num_worker)],
                                timeout=options.worker_timeout)
    _say(options, _describe(engines[0].info))
    return engines


def _describe(info: EngineInfo) -> str:
    warm = "" if info.warm_seconds is None else f", warm in {info.warm_seconds:.0f} s"
    return f"loaded, {info.parameters:,} parameters{warm}"


def describe_addresses(server) -> str:
    """Where a server listens, in one line."""
    host = server.options.host
    zmq = [f"{host}, ports {server.port} (requests) and {server.port_out} (replies)"] if server.zmq else []
    http = [_url(server)] if server.http_port else []
    open_to = "" if host in LOOPBACK else "; open to other machines, without encryption or passwords"
    return f"serving at {', '.join(zmq + http)}{open_to}"


def _url(server) -> str:
    host = server.options.host
    return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{server.http_port}"


def _with_interface(options: ServeOptions) -> ServeOptions:
    """The options with an engine in place of "auto", and with the HTTP port that an engine without ZeroMQ needs.

    ImportError names the extra with the packages of these interfaces.
    """
    options = choose(options)
    if options.engine != "vectors" and options.http_port is None:
        options = dataclasses.replace(options, http_port=HTTP_PORT)
    try:
        import zmq  # noqa: F401
    except ImportError:
        raise ImportError("serving needs pyzmq: pip install -e '.[serve]'") from None
    if options.http_port is not None:
        try:
            import fastapi  # noqa: F401
            import prometheus_client  # noqa: F401
            import uvicorn  # noqa: F401
        except ImportError as error:
            raise ImportError(f"HTTP needs {error.name}: pip install -e '.[http]'") from None
    return options


@contextlib.contextmanager
def _signals(ended: threading.Event) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP set `ended`; the second one acts as usual. SIGHUP stays ignored where it is, as under
    nohup. In other threads than the main one: nothing."""
    before: dict = {}

    def note(number, frame):
        for each, handler in before.items():  # a terminal that closes may say so several times
            signal.signal(each, signal.SIG_IGN if each == getattr(signal, "SIGHUP", None) else handler)
        ended.set()

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and not (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):
                before[number] = signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(options: ServeOptions, text: str) -> None:
    if not options.quiet:
        say(text)


def _raise_file_limit() -> None:
    """As many connections as the system allows: every client has two."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
