"""The Quatrix REST API in Python. Knows nothing of Airflow and is usable alone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.auth import Credentials
    from airflow_provider_quatrix.api.client import FixedSession, QuatrixClient, SessionSource
    from airflow_provider_quatrix.api.errors import (
        QuatrixApiError,
        QuatrixAuthenticationError,
        QuatrixCaptchaRequired,
        QuatrixConflict,
        QuatrixError,
        QuatrixLoginBudgetExhausted,
        QuatrixMfaRequired,
        QuatrixNotFound,
        QuatrixPermissionDenied,
        QuatrixQuotaExceeded,
        QuatrixRateLimited,
        QuatrixResponseError,
        QuatrixSessionExpired,
        QuatrixTransportError,
    )
    from airflow_provider_quatrix.api.models import Profile, Quota, SessionState, SessionStatus
    from airflow_provider_quatrix.api.transport import Transport

__all__ = [
    "Credentials",
    "FixedSession",
    "Profile",
    "QuatrixApiError",
    "QuatrixAuthenticationError",
    "QuatrixCaptchaRequired",
    "QuatrixClient",
    "QuatrixConflict",
    "QuatrixError",
    "QuatrixLoginBudgetExhausted",
    "QuatrixMfaRequired",
    "QuatrixNotFound",
    "QuatrixPermissionDenied",
    "QuatrixQuotaExceeded",
    "QuatrixRateLimited",
    "QuatrixResponseError",
    "QuatrixSessionExpired",
    "QuatrixTransportError",
    "Quota",
    "SessionSource",
    "SessionState",
    "SessionStatus",
    "Transport",
]

# Names are looked up when they are first used: whoever needs only the rules for paths, such as a sensor in a DAG that
# is being parsed, must not wait for an HTTP library to be imported.
_ROOMS = {
    "auth": ("Credentials",),
    "client": ("FixedSession", "QuatrixClient", "SessionSource"),
    "errors": (
        "QuatrixApiError",
        "QuatrixAuthenticationError",
        "QuatrixCaptchaRequired",
        "QuatrixConflict",
        "QuatrixError",
        "QuatrixLoginBudgetExhausted",
        "QuatrixMfaRequired",
        "QuatrixNotFound",
        "QuatrixPermissionDenied",
        "QuatrixQuotaExceeded",
        "QuatrixRateLimited",
        "QuatrixResponseError",
        "QuatrixSessionExpired",
        "QuatrixTransportError",
    ),
    "models": ("Profile", "Quota", "SessionState", "SessionStatus"),
    "transport": ("Transport",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
