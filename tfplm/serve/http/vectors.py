"""Vectors over HTTP, for the interfaces that give them."""

import numpy as np
from fastapi import Request

from tfplm.serve.engines.vectors import VectorInfo, Vectors, check_sequences, vector_info
from tfplm.serve.http.submit import Failed, result_of
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service


async def vectors_of(service: Service, sequences: list, request: Request,
                     kinds: tuple[type, ...] = (str,)) -> Vectors:
    """The vectors of texts, lists of tokens or, with `int` in `kinds`, of ids. Refused and Failed state why there are
    none."""
    check_sequences(sequences, service.limits, kinds)
    _check_ids(sequences, vector_info(service.info))
    result = await result_of(service, sequences, request)
    if not np.isfinite(result.vectors).all():
        raise Failed("the model's vectors are not finite numbers, which JSON does not have")
    return result


def _check_ids(sequences: list, info: VectorInfo) -> None:
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, str) and isinstance(sequence[0], int) and max(sequence) >= info.vocab_size:
            raise Refused(f"sequence {index} has the token id {max(sequence)}, but the vocabulary has the ids 0 to "
                          f"{info.vocab_size - 1}")
