"""The HTTP interface: bert-as-service's `/encode` and `/status`, OpenAI's `/v1/embeddings`, health and figures."""

import asyncio
import base64
import json
import time
from typing import Annotated

import numpy as np
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from tfplm.serve.http import metrics
from tfplm.serve.http.bodies import (
    ENCODE_FORM,
    FORM,
    EmbeddingsReply,
    EmbeddingsRequest,
    EncodeReply,
    EncodeRequest,
    Health,
    OpenAIProblem,
    Problem,
    problem,
)
from tfplm.serve.http.limits import Limits
from tfplm.serve.queue.job import Job
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.protocol import VERSION, Refused, Sequence, check_sequences

JSON_COST = 32  # memory of a reply while it becomes JSON, by that of its vectors
ENCODING = ("/encode", "/v1/embeddings")
PROBLEMS = {code: {"model": Problem} for code in (400, 408, 413, "4XX", 500, 503)}
OPENAI_PROBLEMS = {code: {"model": OpenAIProblem} for code in (400, 408, 413, 422, "4XX", 500, 503)}


class Failed(RuntimeError):
    """The engine could not encode the request."""


async def encode(service: Service, sequences: list[Sequence], request: Request) -> Job:
    """A finished job. Refused and Failed say why there are no vectors; a client that hangs up ends the work."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    # from a worker's thread
    job = service.submit(sequences, lambda _: loop.call_soon_threadsafe(ended.set), owner := object())
    while not ended.is_set():
        try:
            await asyncio.wait_for(ended.wait(), 1.0)
        except asyncio.TimeoutError:  # in Python 3.10 not the builtin one
            if await request.is_disconnected():
                service.scheduler.cancel(owner)
                raise Failed("the client has gone") from None
    if job.error is not None:
        raise Failed(job.error)
    if not np.isfinite(job.vectors).all():
        raise Failed("the model's vectors are not finite numbers, which JSON does not have")
    return job


def _check(service: Service, sequences: list, kinds: tuple[type, ...] = (str,)) -> None:
    check_sequences(sequences, service.limits, kinds)
    needed, limit = service.info.reply_bytes(sequences), (service.options.max_reply_mb << 20) // JSON_COST
    if needed > limit:
        raise Refused(f"the vectors of {len(sequences):,} sequences take {needed:,} bytes, more than the {limit:,} of one "
                      "reply over HTTP, as JSON is many times as large: ask for fewer at once, or use "
                      f"bert-serving-client, or start the server with a max_reply_mb above {service.options.max_reply_mb}")
    for number, sequence in enumerate(sequences):
        if not isinstance(sequence, str) and isinstance(sequence[0], int) \
                and max(sequence) >= service.info.vocab_size:
            raise Refused(f"sequence {number} has the token id {max(sequence)}, but the vocabulary has the ids 0 to "
                          f"{service.info.vocab_size - 1}")


def make_app(service: Service) -> FastAPI:
    """The application; its OpenAPI description is at `/openapi.json`, a page to try it at `/docs`."""
    started = time.time()
    app = FastAPI(title="tfplm serve", version=VERSION, description="Sentence vectors", strict_content_type=False)

    def served() -> Service:
        return service

    depends = Annotated[Service, Depends(served)]
    _add_bert_routes(app, depends)
    _add_openai_route(app, depends)
    _add_monitoring(app, service, started)
    _add_error_handlers(app, service)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=1)
    app.add_middleware(Limits, max_bytes=service.limits.message_bytes, connections=service.options.http_max_connect,
                       paths=ENCODING, counted=lambda status: _count(service, status))
    app.add_middleware(CORSMiddleware, allow_methods=["*"], allow_headers=["*"],
                       allow_origins=[site.strip() for site in service.options.cors.split(",") if site.strip()])
    return app


def _count(service: Service, status: int) -> None:
    service.counters.add("http_responses")
    if status >= 500:
        service.counters.add("http_server_errors")


def _add_bert_routes(app: FastAPI, depends) -> None:
    @app.post("/encode", responses={200: {"model": EncodeReply}, **PROBLEMS}, summary="Vectors of texts",
              openapi_extra={"requestBody": {"content": {FORM: {"schema": ENCODE_FORM}}}})
    async def encode_texts(body: EncodeRequest, request: Request, service: depends) -> Response:
        if body.is_tokenized and isinstance(body.texts[0], str):
            raise Refused("is_tokenized is true, but texts are no lists of tokens")
        _check(service, body.texts)
        service.statistics.count(b"http", len(body.texts))
        job = await encode(service, body.texts, request)
        return Response(await asyncio.to_thread(_encode_reply, body.id, job), media_type="application/json")

    @app.get("/status/server", summary="Configuration and statistics, as SHOW_STATUS has them")
    async def status_server(service: depends) -> dict:
        return service.status(b"http")

    @app.get("/status/client", summary="What bert-as-service tells of its HTTP server's own client")
    async def status_client(service: depends) -> dict:
        options, number = service.options, service.counters.numbers["requests"]
        return {"identity": "http", "num_request": number, "num_pending_request": len(service.scheduler.jobs),
                "pending_request": [], "output_fmt": "list", "port": options.port, "port_out": options.port_out,
                "server_ip": options.host, "client_version": VERSION, "timeout": -1}


def _encode_reply(number, job: Job) -> bytes:
    result = json.dumps(job.vectors.tolist()).encode()
    tokens = b"" if job.tokens is None else b', "tokens": ' + json.dumps(job.tokens).encode()
    return b"".join([b'{"id": ', json.dumps(number).encode(), b', "result": ', result, b', "results": ', result,
                     b', "status": 200', tokens, b"}"])


def _add_openai_route(app: FastAPI, depends) -> None:
    @app.post("/v1/embeddings", responses={200: {"model": EmbeddingsReply}, **OPENAI_PROBLEMS},
              summary="Vectors of texts or token ids, in OpenAI's shape")
    async def embeddings(body: EmbeddingsRequest, request: Request, service: depends) -> Response:
        if service.info.per_token:
            raise Refused("the server has pooling NONE, a vector for each token; this interface is for one a text")
        if body.dimensions not in (None, service.info.dimension):
            raise Refused(f"dimensions is {body.dimensions}, but the model's vectors have {service.info.dimension}")
        single = isinstance(body.input, str) or isinstance(body.input[0], int)
        sequences = [body.input] if single else body.input
        _check(service, sequences, (str, int))
        service.statistics.count(b"http", len(sequences))
        job = await encode(service, sequences, request)
        return Response(await asyncio.to_thread(_embeddings_reply, body, job), media_type="application/json")


def _embeddings_reply(body: EmbeddingsRequest, job: Job) -> bytes:
    vectors = np.ascontiguousarray(job.vectors, "<f4")
    shown = [base64.b64encode(row.tobytes()).decode() for row in vectors] if body.encoding_format == "base64" \
        else vectors.tolist()
    total = int(job.lengths.sum())
    return json.dumps({
        "object": "list", "data": [{"object": "embedding", "index": i, "embedding": one} for i, one in enumerate(shown)],
        "model": body.model, "usage": {"prompt_tokens": total, "total_tokens": total}}).encode()


def _add_monitoring(app: FastAPI, service: Service, started: float) -> None:
    @app.get("/health", responses={200: {"model": Health}, 503: {"model": Health}}, summary="Whether a worker is alive")
    async def health() -> Response:
        alive = any(service.workers.alive)
        return JSONResponse({"status": "ok" if alive else "no worker"}, 200 if alive else 503)

    @app.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")
    async def figures() -> Response:
        return Response(metrics.render(service, started), media_type=metrics.CONTENT_TYPE)


def _add_error_handlers(app: FastAPI, service: Service) -> None:
    def answer(request: Request, status: int, reason: str, error: Exception) -> Response:
        return JSONResponse(problem(request.url.path, status, reason, type(error).__name__), status)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        service.counters.add("refused")
        return answer(request, 400, str(error), error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        service.counters.add("refused")
        shown = list(dict.fromkeys(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors()))[:3]
        status = 422 if request.url.path.startswith("/v1/") else 400
        return answer(request, status, "; ".join(shown).encode("ascii", "backslashreplace").decode(), error)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        response = answer(request, error.status_code, str(error.detail), error)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Failed)
    async def failed(request: Request, error: Failed) -> Response:
        return answer(request, 500, str(error), error)

    @app.exception_handler(RuntimeError)
    async def stopping(request: Request, error: RuntimeError) -> Response:
        return answer(request, 503, str(error), error)


def _place(location: tuple) -> str:
    """`body.texts.0`; what else is in it are pydantic's names for the members of unions."""
    return ".".join(str(part) for number, part in enumerate(location) if number < 2 or isinstance(part, int))
