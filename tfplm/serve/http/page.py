"""`/docs` and `/`: the paths of the server as a page of its own, which loads nothing from elsewhere, and as JSON."""

import html
import json

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

_STYLE = ("body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
          "code,pre,textarea{font:14px/1.4 ui-monospace,monospace}pre{background:#f4f4f4;padding:.8em;overflow:auto}"
          "textarea{width:100%;box-sizing:border-box}h2{font-size:1.1em;margin:1.6em 0 .3em}b{color:#06c}"
          "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre,textarea{background:#262626;color:#ddd}}")
_SCRIPT = """for (const form of document.forms) form.onsubmit = async event => {
  event.preventDefault();
  const shown = form.querySelector("pre");
  const options = form.dataset.method == "POST" ? {method: "POST", headers: {"content-type": "application/json"},
                                                   body: form.querySelector("textarea").value} : {};
  shown.textContent = "...";
  try {
    const reply = await fetch(form.dataset.path, options);
    shown.textContent = reply.status + "\\n" + (await reply.text()).slice(0, 20000);
  } catch (error) { shown.textContent = error; }
};"""


def add_pages(app: FastAPI) -> None:
    """Adds `/docs` and `/` to an application whose other paths are complete."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(make_page(app.openapi()), headers={
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                                       "connect-src 'self'; frame-ancestors 'none'"})

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("docs")
        paths = {f"{method.upper()} {path}": operation.get("summary", "")
                 for path, method, operation in _operations(app.openapi())}
        return JSONResponse({"name": app.title, "paths": {**paths, "GET /docs": "This list as a page",
                                                          "GET /openapi.json": "The description as OpenAPI"}})


def make_page(description: dict) -> str:
    """HTML of an OpenAPI description: each path with what it is for, an example to try, and the schemas."""
    sections = "".join(_section(path, method, operation, description) for path, method, operation in
                       _operations(description))
    schemas = html.escape(json.dumps(description.get("components", {}).get("schemas", {}), indent=1, ensure_ascii=False))
    return (f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>tfplm serve</title><style>{_STYLE}</style><h1>{html.escape(description['info']['title'])}</h1>"
            f"<p>{html.escape(description['info'].get('description', ''))}. All of it as OpenAPI: "
            f"<a href='openapi.json'>openapi.json</a>.</p>{sections}"
            f"<h2>Schemas</h2><details><summary>show</summary><pre>{schemas}</pre></details><script>{_SCRIPT}</script>")


def _operations(description: dict):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _section(path: str, method: str, operation: dict, description: dict) -> str:
    name, shown = method.upper(), html.escape(path)
    example = json.dumps(_example(operation, description), ensure_ascii=False)
    field = f"<textarea rows=3>{html.escape(example)}</textarea>" if name == "POST" else ""
    attempt = "" if "{" in path else (f"<form data-path='{shown.lstrip('/')}' data-method={name}>{field}"
                                      "<button>try it</button><pre>-</pre></form>")
    return (f"<h2><b>{name}</b> <code>{shown}</code></h2><p>{html.escape(operation.get('summary', ''))}</p>{attempt}")


def _example(operation: dict, description: dict) -> object:
    """The first example of the body, or its required fields without values."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    found = description.get("components", {}).get("schemas", {}).get(name, schema)
    return next(iter(found.get("examples", ())), dict.fromkeys(found.get("required", ()), "..."))
