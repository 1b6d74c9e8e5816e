from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixConflict,
    QuatrixLoginBudgetExhausted,
    QuatrixMfaRequired,
    QuatrixNotFound,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixRateLimited,
    QuatrixResponseError,
    QuatrixSessionExpired,
    QuatrixTransferError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.api.retry import is_outage
from airflow_provider_quatrix.hooks.connection import InvalidConnectionError
from airflow_provider_quatrix.hooks.failures import advice, airflow_errors, failed_stage, is_final

WRONG_CODE = QuatrixAuthenticationError(401, 83, "Wrong code")
WRONG_CODE.second_factor = True
TYPED_CODE = QuatrixAuthenticationError(401, 83, "Wrong code")
TYPED_CODE.second_factor = TYPED_CODE.typed_code = True
CLOCK = QuatrixAuthenticationError(401, 83, "The clock of this host is 90 s behind")
CLOCK.second_factor, CLOCK.clock_offset = True, 90.0

# error, final, outage, stage, advice
CASES = [
    (InvalidConnectionError("acme", "host", "is missing"), True, False, "Connection", ""),
    (QuatrixTransportError("unreachable", TransportStage.ADDRESS), False, True, "Address", ""),
    (QuatrixTransportError("proxy", TransportStage.PROXY), False, True, "Proxy", ""),
    (QuatrixTransportError("certificate", TransportStage.TLS), True, False, "TLS", ""),
    (QuatrixTransportError("a header", TransportStage.SETTINGS), True, False, "Connection", ""),
    (QuatrixTransportError("broken", TransportStage.SENT), False, True, "Service", ""),
    (QuatrixResponseError("HTML", 200), False, True, "Service", ""),
    (QuatrixApiError(500, None, "oops"), False, True, "Service", ""),
    (QuatrixApiError(503, None, "oops"), False, True, "Service", ""),
    (QuatrixApiError(400, 11, "bad parameter"), False, False, "Service", ""),
    (QuatrixRateLimited(429, None, "slow down"), False, True, "Budget", ""),
    (QuatrixLoginBudgetExhausted(retry_after=60, limit=12, window=900), False, True, "Budget", ""),
    (QuatrixAuthenticationError(401, 70, "wrong password"), True, False, "Credentials", "Correct the credentials"),
    (WRONG_CODE, True, False, "Second factor", "Correct the credentials"),
    (TYPED_CODE, True, False, "Second factor", "Enter a new mfa_code"),
    (CLOCK, True, False, "Second factor", "The connection needs no change"),
    (QuatrixMfaRequired(207, 71, "2FA wanted"), True, False, "Second factor", "to change is 'acme'"),
    (QuatrixCaptchaRequired(401, None, "blocked"), True, False, "CAPTCHA", "QuatrixCaptchaSensor"),
    (QuatrixCaptchaRequired(429, None, "blocked"), True, False, "CAPTCHA", "QuatrixCaptchaSensor"),
    (QuatrixCaptchaRequired(503, None, "blocked"), True, False, "CAPTCHA", "QuatrixCaptchaSensor"),
    (QuatrixPermissionDenied(403, 50, "no"), True, False, "Service", "another user in connection 'acme'"),
    (QuatrixSessionExpired(401, 70, "ended"), False, False, "Service", ""),
    (QuatrixNotFound(404, 90, "no file"), False, False, "Service", ""),
    (QuatrixTransferError("changed while it was read"), False, False, "Service", ""),
    (QuatrixConflict(409, 30, "exists"), True, False, "Service", "Set if_exists"),
    (QuatrixConflict(400, None, "'/a' exists: set if_exists"), True, False, "Service", ""),
    (QuatrixQuotaExceeded(507, 122, "full"), True, False, "Service", "empty the Trash"),
    (InvalidPathError("The name '.' has a meaning of its own"), True, False, "Connection", ""),
    (FileNotFoundError("There is no local file '/a'"), False, False, "Connection", ""),
    (FileExistsError("/a exists"), True, False, "Connection", ""),
    (IsADirectoryError("/a is a folder"), True, False, "Connection", ""),
    (PermissionError(13, "Permission denied", "/a"), True, False, "Connection", ""),
    (OSError(28, "No space left on device"), False, False, "Connection", ""),
    (ValueError("another's error"), False, False, "Connection", ""),
]


@pytest.mark.parametrize(
    ("error", "final", "outage", "stage", "says"), CASES, ids=[f"{type(case[0]).__name__}-{case[3]}" for case in CASES]
)
def test_every_failure_is_judged(error: Exception, final: bool, outage: bool, stage: str, says: str) -> None:
    assert is_final(error) is final
    assert is_outage(error) is outage
    assert failed_stage(error) == stage
    assert (says in advice(error, "acme")) if says else advice(error, "acme") == ""


@pytest.mark.parametrize(("error", "final"), [(case[0], case[1]) for case in CASES[:-1]])
def test_airflow_gets_one_line_without_a_chain(error: Exception, final: bool) -> None:
    with pytest.raises(AirflowException) as caught, airflow_errors("acme"):
        raise error
    assert type(caught.value) is (AirflowFailException if final else AirflowException)
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
    text = str(caught.value)
    assert text.startswith(str(error).rstrip("."))
    assert "\n" not in text
    assert ".." not in text


def test_errors_of_others_pass_as_they_are() -> None:
    with pytest.raises(KeyError), airflow_errors("acme"):
        raise KeyError("x")
