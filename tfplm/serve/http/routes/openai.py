"""OpenAI's HTTP interface: `/v1/embeddings`."""

import asyncio
import base64
import json
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, StrictStr

from tfplm.serve.engines.vectors import Vectors, vector_info
from tfplm.serve.http.api import Api, problems
from tfplm.serve.http.bodies import Integer, Text, Texts, TokenIds
from tfplm.serve.http.vectors import vectors_of
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service


class EmbeddingsRequest(BaseModel):
    """OpenAI's `/v1/embeddings`. Token ids are those of the served model's own tokenizer."""

    input: Text | Texts | TokenIds | Annotated[list[TokenIds], Field(min_length=1)]
    model: Annotated[StrictStr, Field(description="any: there is one model, and the name is given back")] = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[Integer | None, Field(description="the model's own number, if given")] = None
    user: StrictStr | None = None


class Embedding(BaseModel):
    """One vector: a list, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens, special ones included."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(BaseModel):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class OpenAIError(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIProblem(BaseModel):
    error: OpenAIError


def problem(status: int, reason: str, kind: str) -> dict:
    """The body of an `OpenAIProblem`."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": reason, "type": kind, "param": None, "code": None}}


def make_api(service: Service) -> Api:
    """The interface of an engine that gives vectors."""
    router, info = APIRouter(), vector_info(service.info)

    @router.post("/v1/embeddings", responses={200: {"model": EmbeddingsReply}, **problems(OpenAIProblem, 422)},
                 summary="Vectors of texts or token ids, in OpenAI's shape")
    async def embeddings(body: EmbeddingsRequest, request: Request) -> Response:
        if info.per_token:
            raise Refused("the server has pooling NONE, a vector for each token; this interface is for one a text")
        if body.dimensions not in (None, info.dimension):
            raise Refused(f"dimensions is {body.dimensions}, but the model's vectors have {info.dimension}")
        single = isinstance(body.input, str) or isinstance(body.input[0], int)
        found = await vectors_of(service, [body.input] if single else list(body.input), request, (str, int))
        return Response(await asyncio.to_thread(_reply, body, found), media_type="application/json")

    return Api(router, ("/v1/embeddings",), ("/v1/",), problem, invalid=422)


def _reply(body: EmbeddingsRequest, found: Vectors) -> bytes:
    vectors = np.ascontiguousarray(found.vectors, "<f4")
    shown = [base64.b64encode(row.tobytes()).decode() for row in vectors] if body.encoding_format == "base64" \
        else vectors.tolist()
    total = int(found.lengths.sum())
    return json.dumps({
        "object": "list", "data": [{"object": "embedding", "index": i, "embedding": one} for i, one in enumerate(shown)],
        "model": body.model, "usage": {"prompt_tokens": total, "total_tokens": total}}).encode()
