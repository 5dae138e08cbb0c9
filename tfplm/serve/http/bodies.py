"""Bodies of HTTP requests and replies; the OpenAPI description is made from them."""

import json
import urllib.parse
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

# JSON has one kind of numbers: 3.0 is an integer, but true and "3" are not
Integer = Annotated[StrictInt, BeforeValidator(lambda value: int(value) if isinstance(value, float)
                                               and value.is_integer() else value)]
Text = Annotated[StrictStr, Field(max_length=1_000_000)]
Texts = Annotated[list[Text], Field(min_length=1)]
Tokens = Annotated[list[StrictStr], Field(min_length=1)]
TokenIds = Annotated[list[Annotated[Integer, Field(ge=0)]], Field(min_length=1)]


class EncodeRequest(BaseModel):
    """bert-as-service's: texts (two of them divided by ` ||| ` are a pair), or lists of tokens."""

    id: Annotated[Integer | StrictStr | None, Field(description="given back with the vectors")] = None
    texts: Texts | Annotated[list[Tokens], Field(min_length=1)]
    is_tokenized: Annotated[StrictBool, Field(description="texts are lists of tokens")] = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 123, "texts": ["你好", "first ||| second"]}]})


# the same as a form, whose values are texts all of them
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


class Health(BaseModel):
    status: Literal["ok", "no worker"]


class Problem(BaseModel):
    """What was wrong, in words: `description` and `type` as bert-as-service had them, `detail` as FastAPI has it."""

    detail: str
    description: str
    type: Annotated[str, Field(description="the kind of the error, as the server calls it")]
    status: Annotated[int, Field(description="that of the response")]


class OpenAIError(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIProblem(BaseModel):
    error: OpenAIError


def problem(path: str, status: int, reason: str, kind: str) -> dict:
    """The body of an answer with an error: a `Problem`, or an `OpenAIProblem` where that interface was asked."""
    if path.startswith("/v1/"):
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"message": reason, "type": kind, "param": None, "code": None}}
    return {"detail": reason, "description": reason, "type": kind, "status": status}


FORM = "application/x-www-form-urlencoded"
FIELDS = 1 << 20  # of a form, at most
_TRUTH = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False, "": False}


def as_json(scope: dict, body: bytes) -> tuple[dict, bytes]:
    """The scope and the body of a request as JSON. ValueError for a form that cannot be read.

    `curl -d` calls JSON a form, and pages of other sites plain text, for which browsers do not ask the server first.
    """
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if kind not in (FORM, "text/plain"):
        return scope, body
    if kind == FORM and not body.lstrip().startswith(b"{"):
        body = json.dumps(_read_form(body)).encode()
    return {**scope, "headers": [each for each in scope["headers"] if each[0] not in (b"content-type", b"content-length")]
            }, body


def _read_form(body: bytes) -> dict:
    """`id=1&texts=a&texts=b&is_tokenized=false`: all values of `texts`, which are a list, and of what is repeated."""
    fields = urllib.parse.parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="strict")
    found = {name: values if name == "texts" or len(values) > 1 else values[0] for name, values in fields.items()}
    if isinstance(truth := found.get("is_tokenized"), str):
        found["is_tokenized"] = _TRUTH.get(truth, truth)
    return found
