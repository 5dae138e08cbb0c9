"""The ports of a server: taken before its model is loaded, so that one that is not to be had is told at once."""

import contextlib
import dataclasses
import errno
import os
import socket

from tfplm.options.serve import ServeOptions

BACKLOG = 512  # connections that wait to be accepted, such as those of clients that came while the model was loaded
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENODEV)


@dataclasses.dataclass
class Ports:
    """Listening sockets; None for an interface that is not served."""

    requests: socket.socket | None = None
    replies: socket.socket | None = None
    http: socket.socket | None = None

    def close(self) -> None:
        for each in (self.requests, self.replies, self.http):
            if each is not None:
                each.close()


def open_ports(options: ServeOptions, zmq: bool = True) -> Ports:
    """The ports that the options name. OSError says which option to change."""
    with contextlib.ExitStack() as undo:
        ports = Ports()
        undo.callback(ports.close)
        if zmq:
            ports.requests, ports.replies = listen(options, "port"), listen(options, "port_out")
        if options.http_port is not None:
            ports.http = listen(options, "http_port")
        undo.pop_all()
    return ports


def listen(options: ServeOptions, name: str) -> socket.socket:
    """A socket that listens at the options' `host` and the port called `name` in them."""
    host, port = options.host, getattr(options, name)
    family, address = _address(host)
    try:
        return socket.create_server((address, port), family=family, backlog=BACKLOG,
                                    dualstack_ipv6=address == "::" and socket.has_dualstack_ipv6())
    except OSError as error:
        if error.errno in _NOT_HERE:
            raise _elsewhere(host, error) from None
        reason = os.strerror(error.errno) if error.errno else error
        raise OSError(f"cannot listen at {host}:{port}: {reason}; choose another "
                      f"--{name.replace('_', '-')}, or stop the program that has it") from None


def port_of(listener: socket.socket) -> int:
    """The port that a socket listens at."""
    return listener.getsockname()[1]


def _address(host: str) -> tuple[socket.AddressFamily, str]:
    """IPv4 where a name has both, which is what bert-serving-client asks for."""
    try:
        found = socket.getaddrinfo("0.0.0.0" if host == "*" else host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _elsewhere(host, error) from None
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, str(address[0])


def _elsewhere(host: str, error: Exception) -> OSError:
    return OSError(f"cannot listen at {host}: {getattr(error, 'strerror', None) or error}; choose another --host: a name "
                   "or an address of this machine, or 0.0.0.0 for all of its addresses")
