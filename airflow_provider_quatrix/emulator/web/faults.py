"""The responses of injected faults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..service.errors import UNKNOWN_ERROR, error_body

if TYPE_CHECKING:
    from ..service.faults import Fault
    from ..settings import FaultBody

RawHeaders = list[tuple[bytes, bytes]]

_JSON, _HTML = b"application/json", b"text/html; charset=utf-8"
_PAGE = b"<html><head><title>%d</title></head><body><h1>%d</h1><p>The service is unavailable.</p></body></html>"


def fault_answer(fault: Fault, default: FaultBody) -> tuple[int, RawHeaders, bytes]:
    """Make the response of a fault.

    :param default: the body of a fault that has none.
    :return: status, headers besides the fault's own, and body.
    """
    status = fault.status or 200
    if status in (204, 304):
        return status, [], b""
    content_type, body = _content(fault, default, status)
    return status, [(b"content-type", content_type), (b"content-length", str(len(body)).encode())], body


def _content(fault: Fault, default: FaultBody, status: int) -> tuple[bytes, bytes]:
    if fault.body is not None:
        text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
        return _HTML if text.lstrip().startswith("<") else _JSON, text.encode(errors="replace")
    if default == "json":
        return _JSON, error_body(UNKNOWN_ERROR, "Injected fault")
    return (_HTML, _PAGE % (status, status)) if default == "html" else (_JSON, b"")


def raw_headers(fault: Fault) -> RawHeaders:
    """The fault's own headers in the form of ASGI, with names in lower case."""
    return [(name.lower().encode(), value.encode()) for name, value in fault.headers.items()]
