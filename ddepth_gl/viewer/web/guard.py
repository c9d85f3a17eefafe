"""The guard of a page's server: who may connect, how it ends, and where its errors go."""

from __future__ import annotations

import http
import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ..._log import logger
from ..._packages import import_needed
from ...errors import ViewerError

__all__ = ["guarded", "is_own_origin", "may_be_host"]

_LOG = logger(__name__)
_CLOSE_SECONDS = 0.2  # that a client has to answer that the server ends
_LOCK = threading.Lock()


def may_be_host(header: str | None, host: str, *, is_local: bool) -> bool:
    """Return whether a server may be called by the name in the Host header of a request.

    A page of the internet can give its own name the address 127.0.0.1 (DNS rebinding), and is then
    no stranger for the browser. Its name tells.

    Args:
        header: value of the header; None if there is none.
        host: name or address that the server was told to listen on.
        is_local: whether only programs of this computer reach that address.
    """
    if not is_local:  # other computers may know this one by any name
        return True
    try:
        parts = urlsplit(f"//{header or ''}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    # The port may be that of a tunnel.
    return name == "localhost" or name == host.lower() or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_own_origin(origin: str | None, header: str | None) -> bool:
    """Return whether a request comes from a page of this server, or from no page.

    Browsers let every page of the internet open a WebSocket to this computer, and tell where the
    page comes from.

    Args:
        origin: value of the Origin header; None if there is none.
        header: value of the Host header.
    """
    try:
        return origin is None or urlsplit(origin).netloc == header
    except ValueError:
        return False


@contextmanager
def guarded(host: str, *, is_local: bool) -> Iterator[None]:
    """Guard the server that viser starts meanwhile.

    viser has no options for it: the function of websockets that it calls gets more arguments. Calls
    of others stay as they are.

    Args:
        host, is_local: see `may_be_host`.

    Raises:
        ViewerError: viser starts its server in another way.
    """
    module: Any = import_needed(
        "websockets.asyncio.server", "the viewer in the browser", ViewerError, "web"
    )
    response: Any = import_needed("websockets.http11", "the viewer", ViewerError, "web").Response
    headers: Any = import_needed("websockets.datastructures", "the viewer", ViewerError).Headers
    is_guarded = False

    def guarded_serve(handler: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal is_guarded
        if getattr(handler, "__module__", "") != "viser.infra._infra":
            return serve(handler, *arguments, **options)
        is_guarded = True
        process = options.get("process_request")

        def process_request(connection: Any, request: Any) -> Any:
            names = request.headers.get_all("Host")
            name = names[0] if len(names) == 1 else None
            origins = request.headers.get_all("Origin")
            is_own = len(origins) < 2 and is_own_origin(origins[0] if origins else None, name)
            if not (is_own and may_be_host(name, host, is_local=is_local)):
                _LOG.info("refused a page of another server")
                status = http.HTTPStatus.FORBIDDEN
                return response(status.value, status.phrase, headers(), b"refused\n")
            return process(connection, request) if process is not None else None

        options |= {
            "process_request": process_request,
            "close_timeout": _CLOSE_SECONDS,
            "logger": _LOG,  # what clients send that is no message is no news for the terminal
        }
        return serve(handler, *arguments, **options)

    with _LOCK:
        serve, module.serve = module.serve, guarded_serve
        try:
            yield
        finally:
            module.serve = serve
    if not is_guarded:
        raise ViewerError(
            "this version of viser cannot be guarded against pages of other servers; "
            'run pip install "viser==1.1.1"'
        )
