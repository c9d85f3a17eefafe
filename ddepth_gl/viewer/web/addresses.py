"""Addresses of the page: which are free, who reaches them, and how from another computer."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from ..._checks import is_integer, shown
from ...errors import RequestError, ViewerError

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "free_port",
    "is_local",
    "notes_on",
    "numeric_address",
    "url_of",
]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
_TRIED_PORTS = 100


def free_port(host: str, port: Any = None) -> int:
    """Return a port of this computer that a server can use.

    Args:
        host: name or address of this computer that the server listens on.
        port: number of the port; 0 for any; None for the first free one from `DEFAULT_PORT` on.

    Raises:
        RequestError: `port` is not a port number.
        ViewerError: the port is in use or not allowed, or the host is none of this computer's.
    """
    if port is not None and not (is_integer(port) and 0 <= port < 1 << 16):
        raise RequestError(f"port must be an integer from 0 to 65535, not {shown(port)}")
    tried = range(DEFAULT_PORT, DEFAULT_PORT + _TRIED_PORTS) if port is None else [int(port)]
    family, address = _resolved(host)
    reason: OSError | None = None
    for number in tried:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as tester:
                # As asyncio does: connections of a server that has ended do not block its port.
                tester.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tester.bind((address, number))
                return int(tester.getsockname()[1])
        except OSError as error:
            reason = error
    where = f"port {port}" if port is not None else f"ports {tried[0]} to {tried[-1]}"
    why = str((reason and reason.strerror) or reason).lower()
    advice = "another port, or none for a free one" if port is not None else "a port"
    raise ViewerError(
        f"the viewer cannot listen on {where} of {shown(host)} ({why}); choose {advice}"
    )


def numeric_address(host: str) -> str:
    """Return the address of a host, in digits.

    Raises:
        ViewerError: it has none.
    """
    return _resolved(host)[1]


def is_local(host: str) -> bool:
    """Return whether only programs of this computer reach an address."""
    return ipaddress.ip_address(_resolved(host)[1].partition("%")[0]).is_loopback


def url_of(host: str, port: int) -> str:
    """Return the address for a browser."""
    family, address = _resolved(host)
    if ipaddress.ip_address(address.partition("%")[0]).is_unspecified:
        host = socket.gethostname()
    elif family == socket.AF_INET6 and ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port}"


def notes_on(host: str, port: int) -> list[str]:
    """Return lines about who reaches an address, and how from another computer."""
    if not is_local(host):
        return [
            f"open to every computer that reaches {shown(host)}, without a password; "
            f"--host {DEFAULT_HOST} keeps others out"
        ]
    there = f"[{host}]" if ":" in host else host
    return [
        f"from another computer: ssh -L {port}:{there}:{port} {socket.gethostname()}, "
        f"then open http://127.0.0.1:{port} there"
    ]


def _resolved(host: str) -> tuple[socket.AddressFamily, str]:
    """Return family and address of a host.

    Raises:
        ViewerError: it has none.
    """
    if not isinstance(host, str) or not host:
        raise ViewerError(f"host must be a name or an address of this computer, not {shown(host)}")
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ViewerError(f"host {shown(host)} has no address ({why})") from None
    # IPv4 first: "localhost" may name an IPv6 address that a container lacks.
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, str(address[0])
