"""Bounds of a request, whatever the protocol and the engine."""

import dataclasses

_MOST_DESCRIPTORS, _OTHER_DESCRIPTORS = 1 << 16, 128  # that are used, at most; and for files and pipes


class Refused(ValueError):
    """A request whose content cannot be served; its sender is told the reason."""


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """What one request may hold; more is refused.

    message_bytes: of its body. inputs: texts, or pairs. input_length: characters of a text, or tokens of a list.
    """

    message_bytes: int = 64 << 20
    inputs: int = 1_000_000
    input_length: int = 1_000_000


def connections_of_a_protocol() -> int:
    """The connections that ZeroMQ may have, and HTTP as well: a share of the descriptors that the system allows."""
    try:
        import resource
    except ImportError:  # Windows, where `select` knows 512 sockets
        return 240
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, _MOST_DESCRIPTORS)
    return max(16, (allowed - _OTHER_DESCRIPTORS) // 2)


def share(connections: int) -> int:
    """How many of all connections may be of one address: some are left for others."""
    return max(1, connections - -(-connections // 8))
