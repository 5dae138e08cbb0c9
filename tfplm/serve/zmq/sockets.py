"""What the server's sockets have in common: keep-alive, signs of life, and the address."""

import errno
import socket

import zmq

from tfplm.options.serve import ServeOptions


def bind(context: zmq.Context, kind: int, options: ServeOptions, name: str, settings: dict[int, int]) -> zmq.Socket:
    """A socket that listens at the options' `host` and the port called `name` in them.

    settings: of this kind of socket, by number. OSError says which option to change.
    """
    result = context.socket(kind)
    result.linger = 2000
    result.set(zmq.TCP_KEEPALIVE, 1)
    result.set(zmq.TCP_KEEPALIVE_IDLE, 120)
    result.set(zmq.HANDSHAKE_IVL, 10_000)  # a connection without a greeting is closed
    if options.heartbeat:  # so that no firewall forgets a silent connection, and dead clients are noticed
        interval = max(1, int(1000 * options.heartbeat))
        result.set(zmq.HEARTBEAT_IVL, interval)
        result.set(zmq.HEARTBEAT_TIMEOUT, 4 * interval)
        result.set(zmq.HEARTBEAT_TTL, min(4 * interval, 6_553_500))
    for number, value in settings.items():
        result.set(number, value)
    host, port = options.host, getattr(options, name)
    if ":" in host:
        result.set(zmq.IPV6, 1)
    address = _address(host)
    try:
        result.bind(f"tcp://{address}:{port or '*'}")
    except zmq.ZMQError as error:
        if error.errno in (errno.EADDRNOTAVAIL, zmq.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENODEV):
            raise _elsewhere(host, error) from None
        raise OSError(f"cannot listen at {host}:{port}: {error}; choose another --{name.replace('_', '-')},"
                      " or stop the program that has it") from None
    return result


def port_of(bound: zmq.Socket) -> int:
    """The port that a socket listens at."""
    return int(bytes(bound.getsockopt(zmq.LAST_ENDPOINT)).rpartition(b":")[2].rstrip(b"\0"))


def _address(host: str) -> str:
    """As ZeroMQ writes it, which does not look up names."""
    if ":" in host:
        return f"[{host.strip('[]')}]"
    try:
        return host if host == "*" else socket.gethostbyname(host)
    except (OSError, UnicodeError) as error:
        raise _elsewhere(host, error) from None


def _elsewhere(host: str, error: Exception) -> OSError:
    return OSError(f"cannot listen at {host}: {getattr(error, 'strerror', None) or error}; choose another --host: a name "
                   "or an address of this machine, or 0.0.0.0 for all of its addresses")
