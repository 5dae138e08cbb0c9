"""Reranking in Cohere's and Jina's shape: `/rerank`, `/v1/rerank`, `/v2/rerank`."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from tfplm.serve.http.api import Api, problems
from tfplm.serve.http.bodies import Integer, Text
from tfplm.serve.http.submit import result_of
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service

PATHS = ("/rerank", "/v1/rerank", "/v2/rerank")


class Document(BaseModel):
    """A document with its text; other fields are not read."""

    text: Text


class RerankRequest(BaseModel):
    """A query, and the documents to sort by their relevance for it."""

    query: Text
    documents: Annotated[list[Text | Document], Field(min_length=1)]
    model: Annotated[StrictStr, Field(description="any: there is one model, and the name is given back")] = ""
    top_n: Annotated[Integer | None, Field(ge=1, description="so many of the most relevant documents; default: all")] = None
    return_documents: Annotated[StrictBool | None, Field(description="give the texts back, too")] = None

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"query": "when is the park open?", "documents": ["The park opens at nine.", "Rates rose again."], "top_n": 1}]})

    @property
    def texts(self) -> list[str]:
        return [each if isinstance(each, str) else each.text for each in self.documents]


class Ranked(BaseModel):
    """A document's index among those of the request, and its relevance from 0 to 1."""

    index: int
    relevance_score: float
    document: Document | None = None


class Usage(BaseModel):
    """Tokens that the model was given, the query's for each document."""

    total_tokens: int


class RerankReply(BaseModel):
    """`results`: the most relevant document first. `meta` is Cohere's, `usage` Jina's."""

    id: str
    model: str
    results: list[Ranked]
    meta: dict
    usage: Usage


class RerankProblem(BaseModel):
    """`message` as Cohere has it, `detail` as Jina has it."""

    message: str
    detail: str


def problem(status: int, reason: str, kind: str) -> dict:
    """The body of a `RerankProblem`."""
    return {"message": reason, "detail": reason}


def make_api(service: Service) -> Api:
    """The interface of an engine that gives the relevance of pairs."""
    router = APIRouter()

    async def rerank(body: RerankRequest, request: Request) -> RerankReply:
        texts, most = body.texts, service.limits.message_bytes
        if len(body.query) * len(texts) > most:  # it is encoded with each document
            raise Refused(f"the query has {len(body.query):,} characters, which {len(texts):,} documents make "
                          f"{len(body.query) * len(texts):,}, more than {most:,}: shorten it, or send fewer documents")
        found = await result_of(service, [(body.query, text) for text in texts], request)
        order = sorted(range(len(texts)), key=lambda index: -found[index].score)[:body.top_n]
        results = [Ranked(index=index, relevance_score=found[index].score,
                          document=Document(text=texts[index]) if body.return_documents else None) for index in order]
        tokens, version = sum(each.tokens for each in found), "1" if request.url.path.startswith("/v1/") else "2"
        return RerankReply(id=str(uuid.uuid4()), model=body.model, results=results, usage=Usage(total_tokens=tokens),
                           meta={"api_version": {"version": version}, "tokens": {"input_tokens": tokens}})

    for path in PATHS:
        router.post(path, responses=problems(RerankProblem), response_model_exclude_none=True,
                    summary="Documents by their relevance for a query")(rerank)
    return Api(router, PATHS, PATHS, problem)
