"""bert-as-service's HTTP interface: `/encode`, `/status/server`, `/status/client`."""

import asyncio
import json
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from tfplm.serve.engines.vectors import Vectors
from tfplm.serve.http.api import Api, Problem, problems
from tfplm.serve.http.bodies import FORM, Integer, Texts, Tokens
from tfplm.serve.http.vectors import vectors_of
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.description import Description
from tfplm.serve.zmq.protocol import VERSION


class EncodeRequest(BaseModel):
    """bert-as-service's: texts (two of them divided by ` ||| ` are a pair), or lists of tokens."""

    id: Annotated[Integer | StrictStr | None, Field(description="given back with the vectors")] = None
    texts: Texts | Annotated[list[Tokens], Field(min_length=1)]
    is_tokenized: Annotated[StrictBool, Field(description="texts are lists of tokens")] = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 123, "texts": ["你好", "first ||| second"]}]})


# the same as a form, whose values are all texts
ENCODE_FORM = {"type": "object", "required": ["texts"], "properties": {
    "id": {"type": "string"}, "is_tokenized": {"type": "string", "enum": ["false", "False", "0", ""]},
    "texts": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}}}


class EncodeReply(BaseModel):
    """`result` and `results` are the same; bert-as-service sent the one and described the other."""

    id: int | str | None
    result: list
    results: list
    status: Literal[200] = 200
    tokens: list[list[str]] | None = None


def make_api(service: Service) -> Api:
    """The interface of an engine that gives vectors."""
    router, description = APIRouter(), Description(service, full_paths=False)

    @router.post("/encode", responses={200: {"model": EncodeReply}, **problems(Problem)}, summary="Vectors of texts",
                 openapi_extra={"requestBody": {"content": {FORM: {"schema": ENCODE_FORM}}}})
    async def encode_texts(body: EncodeRequest, request: Request) -> Response:
        if body.is_tokenized and isinstance(body.texts[0], str):
            raise Refused("is_tokenized is true, but texts are no lists of tokens")
        found = await vectors_of(service, list(body.texts), request)
        return Response(await asyncio.to_thread(_reply, body.id, found), media_type="application/json")

    @router.get("/status/server", summary="SHOW_STATUS: configuration and statistics; folders without their paths")
    async def status_server() -> dict:
        return description.status(b"http")

    @router.get("/status/client", summary="What bert-as-service reports of its HTTP server's own client")
    async def status_client() -> dict:
        options, number = service.options, service.counters.numbers["requests"]
        return {"identity": "http", "num_request": number, "num_pending_request": len(service.scheduler.jobs),
                "pending_request": [], "output_fmt": "list", "port": options.port, "port_out": options.port_out,
                "server_ip": options.host, "client_version": VERSION, "timeout": -1}

    return Api(router, ("/encode",), ("/encode", "/status"))


def _reply(number: int | str | None, found: Vectors) -> bytes:
    result = json.dumps(found.vectors.tolist()).encode()
    tokens = b"" if found.tokens is None else b', "tokens": ' + json.dumps(found.tokens).encode()
    return b"".join([b'{"id": ', json.dumps(number).encode(), b', "result": ', result, b', "results": ', result,
                     b', "status": 200', tokens, b"}"])
