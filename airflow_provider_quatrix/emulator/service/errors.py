"""Refusals: the ErrorModel of the service and its codes."""

from __future__ import annotations

import json
from typing import Any

UNKNOWN_ERROR = -1
BAD_PARAMETER = 10
MISSING_PARAMETER = 11
NOT_FOUND = 20
NOT_SUPPORTED = 21
OBJECT_EXISTS = 30
CONTACT_EXISTS = 32
RESTRICTED = 50
EXPIRED = 60
DEACTIVATED = 80
INACTIVE = 81
NOT_AUTHORIZED = "Not authorized"


class UnknownObjectError(LookupError):
    """A control call named an object that does not exist."""


class ApiError(Exception):
    """A refusal of the API: an HTTP status and an ErrorModel.

    :param details: further members; left out of the body when None.
    """

    def __init__(
        self,
        status: int,
        code: int,
        msg: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(msg)
        self.status = status
        self.code = code
        self.msg = msg
        self.details = details
        self.headers = headers or {}

    def body(self) -> bytes:
        """The ErrorModel as it is sent."""
        return error_body(self.code, self.msg, self.details)


def error_body(code: int, msg: str, details: dict[str, Any] | None = None) -> bytes:
    """Make an ErrorModel.

    :param details: further members; left out when None.
    """
    model: dict[str, Any] = {"code": code, "msg": msg}
    if details is not None:
        model["details"] = details
    return json.dumps(model, ensure_ascii=False).encode()


def bad_parameter(name: str, why: str = "has a bad value") -> ApiError:
    """The refusal of a bad parameter.

    :param why: what is wrong, as the rest of a sentence.
    """
    return ApiError(400, BAD_PARAMETER, f"Parameter '{name}' {why}")


def missing_parameter(name: str) -> ApiError:
    """The refusal of a missing parameter."""
    return ApiError(400, MISSING_PARAMETER, f"Parameter '{name}' is missing")


def not_found(what: str = "object") -> ApiError:
    """The refusal of an unknown id or path.

    :param what: the kind of object.
    """
    return ApiError(404, NOT_FOUND, f"No such {what}")
