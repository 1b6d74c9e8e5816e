"""The Quatrix REST API in Python. It does not import Airflow, and can be used alone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.auth import Credentials
    from airflow_provider_quatrix.api.authorization import (
        ApiKeyAuthorizer,
        Authorizer,
        FixedSession,
        SessionAuthorizer,
    )
    from airflow_provider_quatrix.api.client import QuatrixClient
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
    from airflow_provider_quatrix.api.session import SessionCalls
    from airflow_provider_quatrix.api.transport import Transport

__all__ = [
    "ApiKeyAuthorizer",
    "Authorizer",
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
    "SessionAuthorizer",
    "SessionCalls",
    "SessionState",
    "SessionStatus",
    "Transport",
]

# Names are imported at first use. Parsing a DAG file must not wait for the import of an HTTP library. A name that is
# not listed here is in `errors`.
_MODULES = {
    "auth": ("Credentials",),
    "authorization": ("ApiKeyAuthorizer", "Authorizer", "FixedSession", "SessionAuthorizer"),
    "client": ("QuatrixClient",),
    "models": ("Profile", "Quota", "SessionState", "SessionStatus"),
    "session": ("SessionCalls",),
    "transport": ("Transport",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF.get(name, 'errors')}"), name)
