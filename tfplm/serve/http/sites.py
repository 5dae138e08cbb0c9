"""Whose pages may call the server: the `Host` of requests, and the origins that CORS allows."""

import ipaddress
import json
import re
import socket
from collections.abc import Callable

LOOPBACK_ORIGIN = r"https?://(localhost|[a-z0-9-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?"


class Hosts:
    """ASGI middleware: requests for a host that is not this one are answered with 403.

    A page of any site can make its own name point to this machine, and is then allowed to read what it gets ("DNS
    rebinding"); but the name stays in the `Host` of its requests. Addresses, `localhost` and names without a dot, which
    nobody can register, and this machine's name are known; `allowed` has more, `.example.org` for all names
    below it, `*` for every one. A request without a `Host` comes from no browser.

    Args:
        problem: (path, status, reason, kind) to the body of an error. counted: called with the status.
    """

    def __init__(self, app, *, own: str, allowed: list[str], problem: Callable[[str, int, str, str], dict],
                 counted: Callable[[int], None] = lambda status: None):
        self.app, self.problem, self.counted = app, problem, counted
        self._allowed = [name.strip().casefold().removeprefix("*.") for name in allowed]
        self._suffixes = tuple(name if name.startswith(".") else f".{name}" for each in allowed
                               if (name := each.strip().casefold().removeprefix("*")).startswith("."))
        self._own = {own.casefold(), socket.gethostname().casefold(), *_full_name()}

    async def __call__(self, scope, receive, send):
        host = next((value for name, value in scope.get("headers", ()) if name == b"host"), b"").decode("latin-1")
        if scope["type"] != "http" or self.knows(host):
            await self.app(scope, receive, send)
            return
        name = name_of(host)
        reason = (f"the request is for the host {name[:100]!r}, which is not known to be this server: use its address or "
                  "localhost, or start the server with --allowed-host " + (name if re.fullmatch(r"[\w.-]{1,100}", name)
                                                                           else "NAME"))
        body = json.dumps(self.problem(scope["path"], 403, reason, "Refusal")).encode()
        self.counted(403)
        await send({"type": "http.response.start", "status": 403, "headers": [
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    def knows(self, host: str) -> bool:
        """Whether a `Host` names this server."""
        name = name_of(host).casefold().removesuffix(".")
        if not name or "*" in self._allowed or name in self._allowed or name in self._own:
            return True
        return ("." not in name.strip("[]") and ":" not in name) or name.endswith((".localhost", *self._suffixes)) \
            or _is_address(name)


def name_of(host: str) -> str:
    """A `Host` without its port."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:\d*)?", host.strip())
    return found[1] if found else host.strip()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]").partition("%")[0])
        return True
    except ValueError:
        return False


def _full_name() -> list[str]:
    try:
        return [socket.getfqdn().casefold()]
    except (OSError, UnicodeError):
        return []


def origins(cors: str) -> tuple[list[str], str | None]:
    """The option `cors` as (origins, a pattern of origins): `localhost` stands for all servers of the browser's own
    machine."""
    sites = [site.strip() for site in cors.split(",") if site.strip()]
    return [site for site in sites if site != "localhost"], LOOPBACK_ORIGIN if "localhost" in sites else None
