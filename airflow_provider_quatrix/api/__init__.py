"""The Quatrix REST API in Python. Knows nothing of Airflow and is usable alone."""

from __future__ import annotations

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
