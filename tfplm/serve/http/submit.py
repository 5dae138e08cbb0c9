"""An HTTP request's way through the engine."""

import asyncio
from typing import Any

from fastapi import Request

from tfplm.serve.queue.job import Job
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service

JSON_COST = 32  # memory of a reply while it becomes JSON, by that of its result


class Failed(RuntimeError):
    """The engine could not encode the request."""


async def result_of(service: Service, inputs: list, request: Request) -> Any:
    """The result for these inputs. Refused and Failed state why there is none; a client that disconnects ends the work."""
    _check_size(service, inputs)
    service.statistics.count(b"http", len(inputs))
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def done(_: Job) -> None:  # in a worker's thread
        loop.call_soon_threadsafe(ended.set)

    job = service.submit(inputs, done, owner := object())
    while not ended.is_set():
        try:
            await asyncio.wait_for(ended.wait(), 1.0)
        except asyncio.TimeoutError:  # in Python 3.10 not the builtin one
            if await request.is_disconnected():
                service.scheduler.cancel(owner)
                raise Failed("the client disconnected") from None
    if job.error is not None:
        raise Failed(job.error)
    return job.result


def _check_size(service: Service, inputs: list) -> None:
    if len(inputs) > service.limits.inputs:
        raise Refused(f"{len(inputs):,} sequences in one request, more than {service.limits.inputs:,}: send less at once")
    needed, limit = service.engine.cost(inputs), (service.options.max_reply_mb << 20) // JSON_COST
    if needed > limit:
        raise Refused(f"the results for {len(inputs):,} sequences take {needed:,} bytes, more than the {limit:,} of one "
                      "reply over HTTP, as JSON is many times as large: ask for fewer at once, or use "
                      f"bert-serving-client, or start the server with a max_reply_mb above {service.options.max_reply_mb}")
