"""The HTTP application: the interfaces of the engine, health and figures."""

import importlib
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from tfplm.serve.http.api import Apis
from tfplm.serve.http.limits import ConnectionLimits
from tfplm.serve.http.metrics import Metrics
from tfplm.serve.http.page import add_pages
from tfplm.serve.http.sites import Hosts, origins
from tfplm.serve.http.submit import Failed
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.protocol import VERSION


class Health(BaseModel):
    status: Literal["ok", "no worker"]


def make_app(service: Service) -> FastAPI:
    """The application; its OpenAPI description is at `/openapi.json`, a page to try it at `/docs`."""
    app = FastAPI(title="tfplm serve", version=VERSION, description="A model of tfplm", strict_content_type=False,
                  docs_url=None, redoc_url=None)  # FastAPI's pages load their scripts from another site
    apis = Apis([importlib.import_module(f"tfplm.serve.http.routes.{name}").make_api(service)
                 for name in service.info.interfaces])
    for api in apis.apis:
        app.include_router(api.router)
    _add_monitoring(app, service)
    add_pages(app)
    _add_error_handlers(app, service, apis)
    options = service.options
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=1)
    app.add_middleware(ConnectionLimits, max_bytes=service.limits.message_bytes, paths=apis.encoding,
                       connections=options.http_max_connect, problem=apis.problem,
                       counted=lambda status: _count(service, status), reply_bytes=options.max_reply_mb << 20,
                       made=lambda limits: setattr(app.state, "limits", limits))
    sites, pattern = origins(options.cors)
    app.add_middleware(CORSMiddleware, allow_methods=["*"], allow_headers=["*"], allow_origins=sites,
                       allow_origin_regex=pattern)
    app.add_middleware(Hosts, own=options.host, allowed=options.allowed_host, problem=apis.problem,
                       counted=lambda status: _count(service, status))
    return app


def _count(service: Service, status: int) -> None:
    service.counters.add("http_responses")
    if status >= 500:
        service.counters.add("http_server_errors")


def _add_monitoring(app: FastAPI, service: Service) -> None:
    metrics = Metrics(service)

    @app.get("/health", responses={200: {"model": Health}, 503: {"model": Health}}, summary="Whether a worker is alive")
    async def health() -> Response:
        alive = any(service.workers.alive)
        return JSONResponse({"status": "ok" if alive else "no worker"}, 200 if alive else 503)

    @app.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")
    async def figures(request: Request) -> Response:
        content, content_type = metrics.render(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": content_type})


def _add_error_handlers(app: FastAPI, service: Service, apis: Apis) -> None:
    def answer(request: Request, status: int, reason: str, error: Exception) -> Response:
        return JSONResponse(apis.problem(request.url.path, status, reason, type(error).__name__), status)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        service.counters.add("refused")
        return answer(request, 400, str(error), error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        service.counters.add("refused")
        shown = list(dict.fromkeys(f"{_path(each['loc'])}: {each['msg']}" for each in error.errors()))[:3]
        reason = "; ".join(shown).encode("ascii", "backslashreplace").decode()
        return answer(request, 400, reason, error)

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


def _path(location: tuple) -> str:
    """`body.texts.0`; what else is in it are pydantic's names for the members of unions."""
    return ".".join(str(part) for index, part in enumerate(location) if index < 2 or isinstance(part, int))
