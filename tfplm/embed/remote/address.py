"""Where a server of bert-as-service is reached."""

import dataclasses
from urllib.parse import parse_qs, urlsplit

SCHEME = "tcp://"


@dataclasses.dataclass(frozen=True)
class Address:
    """`tcp://HOST:PORT`: requests go to this port, and replies come from the next one, or from that of
    `tcp://HOST:PORT?port_out=OTHER`."""

    host: str
    port: int
    port_out: int

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises ValueError for another text."""
        try:
            parts = urlsplit(url)
            port, query = parts.port, parse_qs(parts.query, strict_parsing=True) if parts.query else {}
            (out,) = query.pop("port_out", [None])
            port_out = port + 1 if out is None else int(out)
            if parts.scheme != "tcp" or not parts.hostname or parts.username or parts.path.strip("/") or query:
                raise ValueError
        except (ValueError, TypeError):  # TypeError: no port
            raise ValueError(f"the encoder is {url!r:.100}, expected a server of bert-as-service: give it as "
                             "tcp://HOST:5555, or tcp://HOST:5555?port_out=5600 if its replies do not come from the next "
                             "port") from None
        if not 0 < port < 65536 or not 0 < port_out < 65536:
            raise ValueError(f"the ports of {url} are {port} and {port_out}, expected 1 to 65535: give those of the server")
        return cls(parts.hostname, port, port_out)

    def __str__(self) -> str:
        return endpoint(self.host, self.port) + ("" if self.port_out == self.port + 1 else f"?port_out={self.port_out}")


def endpoint(host: str, port: int) -> str:
    """A place as ZeroMQ names it; `host` may be an IPv6 address."""
    return f"tcp://{f'[{host}]' if ':' in host else host}:{port}"
