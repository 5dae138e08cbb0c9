"""OpenAI's HTTP interface: `/v1/embeddings`, `/v1/models`."""

import asyncio
import base64
import json
import re
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, StrictStr

from tfplm.serve.engines.vectors import Vectors, vector_info
from tfplm.serve.http.api import Api, problems
from tfplm.serve.http.bodies import Integer, Text, Texts, TokenIds
from tfplm.serve.http.vectors import vectors_of
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.description import model_name


class EmbeddingsRequest(BaseModel):
    """OpenAI's `/v1/embeddings`. Token ids are those of the served model's own tokenizer."""

    input: Text | Texts | TokenIds | Annotated[list[TokenIds], Field(min_length=1)]
    model: Annotated[StrictStr, Field(description="any: there is one model, and the name is given back")] = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[Integer | None, Field(ge=1, description="so many leading numbers of each vector, which is then "
                                                "scaled to length 1; fits models that were trained for it")] = None
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


class Model(BaseModel):
    """`id`: the name of the served folder, or that on the hub. `created`: when the server was started, in Unix time."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "tfplm"


class Models(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


class OpenAIError(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIProblem(BaseModel):
    error: OpenAIError


def problem(status: int, reason: str, kind: str) -> dict:
    """The body of an `OpenAIProblem`; `param` is the field of the request that the reason begins with."""
    named = re.match(r"(?:body\.)?(input|model|encoding_format|dimensions|user)\b", reason)
    return {"error": {"message": reason, "type": "invalid_request_error" if status < 500 else "server_error",
                      "param": named and named[1], "code": "model_not_found" if status == 404 and named else None}}


def make_api(service: Service) -> Api:
    """The interface of an engine that gives vectors."""
    router, info = APIRouter(), vector_info(service.info)

    @router.post("/v1/embeddings", responses={200: {"model": EmbeddingsReply}, **problems(OpenAIProblem)},
                 summary="Vectors of texts or token ids, in OpenAI's shape")
    async def embeddings(body: EmbeddingsRequest, request: Request) -> Response:
        if info.per_token:
            raise Refused("the server has pooling NONE, a vector for each token; this interface is for one a text")
        if body.dimensions is not None and body.dimensions > info.dimension:
            raise Refused(f"dimensions is {body.dimensions}, but the model's vectors have {info.dimension}: ask for at most "
                          "so many")
        single = isinstance(body.input, str) or isinstance(body.input[0], int)
        found = await vectors_of(service, [body.input] if single else list(body.input), request, (str, int))
        return Response(await asyncio.to_thread(_reply, body, found), media_type="application/json")

    _add_models(router, service)
    return Api(router, ("/v1/embeddings",), ("/v1/",), problem)


def _add_models(router: APIRouter, service: Service) -> None:
    model = Model(id=model_name(service.options.source), created=int(service.started.timestamp()))

    @router.get("/v1/models", summary="The served model, in OpenAI's shape")
    async def models() -> Models:
        return Models(data=[model])

    @router.get("/v1/models/{name:path}", responses={404: {"model": OpenAIProblem}}, summary="The served model by its name")
    async def one_model(name: str) -> Model:
        if name != model.id:
            raise HTTPException(404, f"model {name[:100]!r} is not served here, but {model.id!r}")
        return model


def shortened(vectors: np.ndarray, dimensions: int | None) -> np.ndarray:
    """The leading numbers of vectors, scaled to length 1 as OpenAI does; whole vectors stay as the model gives them."""
    if dimensions is None or dimensions == vectors.shape[-1]:
        return vectors
    vectors = vectors[:, :dimensions].astype("float32")
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo("float32").tiny)


def _reply(body: EmbeddingsRequest, found: Vectors) -> bytes:
    vectors = np.ascontiguousarray(shortened(found.vectors, body.dimensions), "<f4")
    shown = [base64.b64encode(row.tobytes()).decode() for row in vectors] if body.encoding_format == "base64" \
        else vectors.tolist()
    total = int(found.lengths.sum())
    return json.dumps({
        "object": "list", "data": [{"object": "embedding", "index": i, "embedding": one} for i, one in enumerate(shown)],
        "model": body.model, "usage": {"prompt_tokens": total, "total_tokens": total}}).encode()
