"""What a failure means to Airflow: retry, or ask a person to do something."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_quatrix.api.errors import (
    CODE_WRONG_FACTOR,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixConflict,
    QuatrixError,
    QuatrixLoginBudgetExhausted,
    QuatrixMfaRequired,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixRateLimited,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.hooks.connection import InvalidConnectionError
from airflow_provider_quatrix.hooks.share_arguments import InvalidShareError
from airflow_provider_quatrix.transfer.error_context import described
from airflow_provider_quatrix.transfer.failures import needs_a_person

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_final(error: Exception) -> bool:
    """Return whether a retry cannot help, as a person has to do something first."""
    return isinstance(error, InvalidConnectionError | InvalidShareError) or needs_a_person(error)


def advice(error: Exception, conn_id: str) -> str:
    """Return what a person should do about a failure, as a sentence; empty if there is nothing to do."""
    for kind, text in (
        (QuatrixAuthenticationError, _about_credentials(error, conn_id)),
        (QuatrixMfaRequired, f"The connection to change is {conn_id!r}."),
        (QuatrixCaptchaRequired, "QuatrixCaptchaSensor waits for that without any login."),
        (
            QuatrixPermissionDenied,
            f"Ask the account's administrator for the permission, or use another user in connection {conn_id!r}.",
        ),
        (QuatrixQuotaExceeded, "Delete files or empty the Trash, or ask the account's administrator for more storage."),
    ):
        if isinstance(error, kind):
            return text
    # A conflict that was found by this package, not by the service, comes with its own advice.
    if isinstance(error, QuatrixConflict) and error.code is not None:
        return "Set if_exists to 'overwrite', 'skip' or 'rename', or remove what is there."
    return ""


def _about_credentials(error: Exception, conn_id: str) -> str:
    if getattr(error, "clock_offset", None) is not None:
        return "The connection needs no change."
    if getattr(error, "typed_code", False):
        return "Enter a new mfa_code: a code works once, and for a minute at most."
    return f"Correct the credentials of connection {conn_id!r}."


@contextmanager
def airflow_errors(conn_id: str) -> Iterator[None]:
    """Turn failures into Airflow's exceptions: one clear line, and no retries if they cannot help.

    :raises AirflowFailException: a person has to do something first.
    :raises AirflowException: a retry may help.
    """
    try:
        yield
    except (QuatrixError, InvalidConnectionError, InvalidPathError, InvalidShareError, OSError) as error:
        kind = AirflowFailException if is_final(error) else AirflowException
        # Without "from None" the log would show the chain of exceptions that led here, below the one clear line.
        raise kind(f"{described(error).rstrip('.')}. {advice(error, conn_id)}".rstrip()) from None


_STAGES = {
    TransportStage.SETTINGS: "Connection",
    TransportStage.ADDRESS: "Address",
    TransportStage.PROXY: "Proxy",
    TransportStage.TLS: "TLS",
    TransportStage.SENT: "Service",
}


# In the order in which a connection gets to them. A stage without a part, such as a proxy, is passed at once.
STAGES = (
    "Connection",
    "Budget",
    "Address",
    "Proxy",
    "TLS",
    "Service",
    "CAPTCHA",
    "Credentials",
    "Second factor",
)


@dataclass(frozen=True)
class Trial:
    """How far a test of a connection got.

    :param failed: the stage that failed, one of :data:`STAGES`; empty if all is well.
    """

    message: str
    failed: str = ""
    error: Exception | None = None


def failed_stage(error: Exception) -> str:
    """Return the stage of connecting at which an error happened.

    :return: ``Connection``, ``Address``, ``Proxy``, ``TLS``, ``Credentials``, ``Second factor``, ``CAPTCHA``,
        ``Budget`` or ``Service``.
    """
    if isinstance(error, QuatrixTransportError):
        return _STAGES[error.stage]
    if isinstance(error, QuatrixAuthenticationError):
        return "Second factor" if error.second_factor or error.code in CODE_WRONG_FACTOR else "Credentials"
    for kind, stage in (
        (QuatrixMfaRequired, "Second factor"),
        (QuatrixCaptchaRequired, "CAPTCHA"),
        (QuatrixLoginBudgetExhausted, "Budget"),
        (QuatrixRateLimited, "Budget"),
        (QuatrixError, "Service"),
    ):
        if isinstance(error, kind):
            return stage
    return "Connection"
