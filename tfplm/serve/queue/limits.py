"""Bounds of a request, whatever the protocol and the engine."""

import dataclasses


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
