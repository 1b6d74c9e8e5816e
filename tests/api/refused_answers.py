"""Answers as the service refuses with, and what becomes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.messages import Response
from airflow_provider_quatrix.api.refusals import error_from

if TYPE_CHECKING:
    from airflow_provider_quatrix.api import QuatrixError

SECRET = "0b3f2a6e-7d0c-4d5e-9a51-3f6f2f0d9c11"


def refusal(status: int, code: int | None = None, msg: str = "No", details: Any = None) -> Response:
    model = {"msg": msg} | ({} if code is None else {"code": code}) | ({} if details is None else {"details": details})
    return Response(status, {}, json.dumps(model).encode())


def raised(answer: Response, **kwargs: Any) -> QuatrixError:
    return error_from(answer, redact=lambda text: text.replace(SECRET, "***"), **kwargs)
