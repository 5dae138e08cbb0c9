"""Classes of texts: `/predict`, as Hugging Face's inference endpoints have text classification."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictStr, model_validator

from tfplm.serve.http.api import Api, problems
from tfplm.serve.http.bodies import Integer, Text
from tfplm.serve.http.submit import result_of
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service


class Pair(BaseModel):
    """A text and the one that is compared with it."""

    text: Text
    text_pair: Text


Input = Text | Pair
Inputs = Annotated[list[Input], Field(min_length=1)]


class Parameters(BaseModel):
    """Of Hugging Face's text classification."""

    top_k: Annotated[Integer | None, Field(ge=1, description="so many labels of the highest scores")] = None
    function_to_apply: Annotated[Literal["softmax", "sigmoid", "none"] | None, Field(
        description="the one that the model was trained with: others are refused")] = None


class PredictRequest(BaseModel):
    """`inputs`, one text or pair, or a list of them; or `texts`, a list."""

    inputs: Input | Inputs | None = None
    texts: Inputs | None = None
    parameters: Parameters | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"inputs": "a good film"}, {"inputs": ["a good film", {"text": "a premise", "text_pair": "a hypothesis"}]}]})

    @model_validator(mode="after")
    def one_of_them(self) -> "PredictRequest":
        if (self.inputs is None) == (self.texts is None):
            raise ValueError("expected inputs (a text, a pair, or a list of them) or texts (a list), and not both")
        return self

    @property
    def single(self) -> bool:
        return isinstance(self.inputs, str | Pair)

    @property
    def all(self) -> list[Input]:
        if isinstance(self.inputs, str | Pair):
            return [self.inputs]
        return self.inputs or self.texts or []


class Label(BaseModel):
    """A label, and its score."""

    label: str
    score: float


class PredictProblem(BaseModel):
    error: str
    error_type: Annotated[StrictStr, Field(description="the kind of the error, as the server calls it")]


def problem(status: int, reason: str, kind: str) -> dict:
    """The body of a `PredictProblem`."""
    return {"error": reason, "error_type": kind}


def make_api(service: Service) -> Api:
    """The interface of an engine that gives labels."""
    router = APIRouter()

    @router.post("/predict", responses=problems(PredictProblem), summary="Labels of texts or pairs, with their scores")
    async def predict(body: PredictRequest, request: Request) -> list[Label] | list[list[Label]]:
        """For one text the list of labels, the highest score first; for a list of texts a list of such lists. With
        `parameters`, as Hugging Face's own client sends them, always a list of lists."""
        own, wanted = service.info.settings["function_to_apply"], body.parameters and body.parameters.function_to_apply
        if wanted not in (None, own):
            raise Refused(f"function_to_apply is {wanted!r}, but the scores of this model are made by {own!r}: leave it out")
        found = await result_of(service, [each if isinstance(each, str) else (each.text, each.text_pair)
                                          for each in body.all], request)
        most = body.parameters and body.parameters.top_k
        found = [labels[:most] for labels in found]
        return found[0] if body.single and body.parameters is None else found

    return Api(router, ("/predict",), ("/predict",), problem)
