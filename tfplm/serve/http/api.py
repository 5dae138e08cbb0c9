"""What an HTTP interface is: routes, and errors in a shape of its own."""

import dataclasses
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field


class Problem(BaseModel):
    """What was wrong, in words: `description` and `type` as bert-as-service had them, `detail` as FastAPI has it."""

    detail: str
    description: str
    type: Annotated[str, Field(description="the kind of the error, as the server calls it")]
    status: Annotated[int, Field(description="that of the response")]


def plain_problem(status: int, reason: str, kind: str) -> dict:
    """The body of a `Problem`, also of paths that belong to no interface."""
    return {"detail": reason, "description": reason, "type": kind, "status": status}


@dataclasses.dataclass(frozen=True)
class Api:
    """An interface.

    router: its routes. encoding: the paths among them whose requests the engine works on; they wait for their turn.
    prefixes: of the paths whose errors have its shape. problem: (status, reason, kind) to the body of an error.
    """

    router: APIRouter
    encoding: tuple[str, ...]
    prefixes: tuple[str, ...]
    problem: Callable[[int, str, str], dict] = plain_problem


class Apis:
    """The interfaces of a server, found by path."""

    def __init__(self, apis: list[Api]):
        self.apis = apis

    @property
    def encoding(self) -> tuple[str, ...]:
        """The paths that take turns, of all interfaces."""
        return tuple(path for api in self.apis for path in api.encoding)

    def problem(self, path: str, status: int, reason: str, kind: str) -> dict:
        """The body of an error at this path."""
        api = self._of(path)
        return (api.problem if api else plain_problem)(status, reason, kind)

    def _of(self, path: str) -> Api | None:
        return next((api for api in self.apis if path.startswith(api.prefixes)), None)


def problems(model: type[BaseModel], *more: int) -> dict:
    """The described error responses of a route. more: statuses beside the usual ones."""
    return {code: {"model": model} for code in (400, 408, 413, *more, "4XX", 500, 503)}
