"""What a failure means to Airflow: try again, or tell a person what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_quatrix.api.errors import (
    CODE_WRONG_FACTOR,
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixConflict,
    QuatrixError,
    QuatrixLoginBudgetExhausted,
    QuatrixMfaRequired,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixRateLimited,
    QuatrixResponseError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.api.retry import TRANSIENT_STATUSES
from airflow_provider_quatrix.hooks.connection import InvalidConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_final(error: Exception) -> bool:
    """Tell whether trying the task again cannot help.

    :param error: how the task failed.
    :return: ``True`` if a person has to do something first.
    """
    if isinstance(error, QuatrixTransportError):
        return error.stage in (TransportStage.TLS, TransportStage.SETTINGS)
    return isinstance(
        error,
        InvalidConnectionError
        | QuatrixAuthenticationError
        | QuatrixMfaRequired
        | QuatrixCaptchaRequired
        | QuatrixPermissionDenied
        | QuatrixConflict
        | QuatrixQuotaExceeded
        | InvalidPathError
        # Of the local files. One that is missing, or changes while it is read, may be there at the next try.
        | FileExistsError
        | IsADirectoryError
        | NotADirectoryError
        | PermissionError,
    )


def is_outage(error: Exception) -> bool:
    """Tell whether the service is merely down or busy, so that a waiting task goes on waiting.

    :param error: how a call failed.
    :return: ``True`` if the same call may well succeed later, without anybody doing anything.
    """
    if isinstance(error, QuatrixTransportError):
        return error.stage not in (TransportStage.TLS, TransportStage.SETTINGS)
    if isinstance(error, QuatrixResponseError):
        return True
    return isinstance(error, QuatrixRateLimited) or (
        isinstance(error, QuatrixApiError) and error.status in TRANSIENT_STATUSES
    )


def advice(error: Exception, conn_id: str) -> str:
    """Return what a person should do about a failure, empty where there is nothing to do.

    :param error: how the task failed.
    :param conn_id: the connection.
    :return: a sentence.
    """
    for kind, text in (
        (
            QuatrixAuthenticationError,
            (
                f"Correct the credentials of connection {conn_id!r}. If they were right and the account was corrected "
                f"instead, delete the Variable quatrix_session_token__{conn_id} to have them tried again."
            ),
        ),
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
    # A conflict that was found here, not by the service, has its own advice.
    if isinstance(error, QuatrixConflict) and error.code is not None:
        return "Set if_exists to 'overwrite', 'skip' or 'rename', or remove what is there."
    return ""


@contextmanager
def told_to_airflow(conn_id: str) -> Iterator[None]:
    """Turn failures into Airflow's exceptions: one clear line, and no retries where they cannot help.

    :param conn_id: connection in use.
    :raises AirflowFailException: a person has to do something first.
    :raises AirflowException: another try may help.
    """
    try:
        yield
    except (QuatrixError, InvalidConnectionError, InvalidPathError, OSError) as error:
        kind = AirflowFailException if is_final(error) else AirflowException
        # Without "from None" the log would show the chain of exceptions that led here, below the one clear line.
        raise kind(f"{str(error).rstrip('.')}. {advice(error, conn_id)}".rstrip()) from None


_STAGES = {
    TransportStage.SETTINGS: "Connection",
    TransportStage.ADDRESS: "Address",
    TransportStage.PROXY: "Proxy",
    TransportStage.TLS: "TLS",
    TransportStage.SENT: "Service",
}


def failed_stage(error: Exception) -> str:
    """Name the stage of connecting at which an error happened.

    :param error: how the connection failed.
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
