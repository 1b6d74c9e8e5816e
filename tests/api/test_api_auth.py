from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api.auth import (
    Credentials,
    SendCode,
    SendPassword,
    Wait,
    basic_authorization,
    check_totp_secret,
    session_id_of,
    sign_in,
)
from airflow_provider_quatrix.api.messages import Repeat, Response

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.auth import Conversation

TOTP_SECRET = "JBSWY3DPEHPK3PXP"
LONG_TOTP_SECRET = TOTP_SECRET * 2
NOW = 1_800_000_010.0
STEP = 60_000_000
PASSWORD_ONLY = Credentials("robot@example.com", "s3cret:ü")
WITH_TOTP = Credentials("robot@example.com", "s3cret", totp_secret="jbsw y3dp ehpk 3pxp")
WITH_PIN = Credentials("robot@example.com", "s3cret", pin="12345")


def answer(status: int, session_id: str | None = "id-1", **headers: str) -> Response:
    body = b"" if session_id is None else json.dumps({"session_id": session_id}).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def begin(credentials: Credentials, **kwargs: Any) -> Conversation:
    conversation = sign_in(credentials, now=lambda: NOW, **kwargs)
    step = next(conversation)
    assert isinstance(step, SendPassword)
    return conversation


def end(conversation: Conversation, last: Response) -> str:
    with pytest.raises(StopIteration) as stop:
        conversation.send(last)
    return str(stop.value.value)


def test_a_password_alone_signs_in() -> None:
    conversation = sign_in(PASSWORD_ONLY, now=lambda: NOW)
    step = next(conversation)
    assert isinstance(step, SendPassword)
    scheme, _, value = step.authorization.partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", "robot@example.com:s3cret:ü")
    assert end(conversation, answer(200)) == "id-1"


def test_the_session_id_may_be_in_the_header_only() -> None:
    assert end(begin(PASSWORD_ONLY), answer(200, None, X_Auth_Token="id-h")) == "id-h"


def test_the_body_goes_before_the_header() -> None:
    assert end(begin(PASSWORD_ONLY), answer(200, "id-b", X_Auth_Token="id-h")) == "id-b"


@pytest.mark.parametrize("odd", [None, "", "two\nlines", "spa ce", "umläut", 7])
def test_a_login_without_a_usable_session_id_is_an_error(odd: Any) -> None:
    with pytest.raises(api.QuatrixResponseError, match=r"without a session id \(HTTP 200\)"):
        begin(PASSWORD_ONLY).send(answer(200, odd))


def test_nothing_at_all_is_no_session() -> None:
    with pytest.raises(api.QuatrixResponseError):
        session_id_of(None)


def test_a_totp_code_follows_207() -> None:
    conversation = begin(Credentials("robot@example.com", "s3cret", totp_secret=LONG_TOTP_SECRET))
    step = conversation.send(answer(207, Mfa_Code=" 71 "))
    code = pyotp.TOTP(LONG_TOTP_SECRET).at(int(NOW))
    assert step == SendCode("id-1", "2FA", code, STEP, Repeat.UNSENT)
    assert end(conversation, answer(200, "id-2")) == "id-2"


def test_the_pending_id_stays_where_the_second_answer_has_none() -> None:
    conversation = begin(WITH_TOTP)
    conversation.send(answer(207, Mfa_Code="71"))
    assert end(conversation, answer(200, None)) == "id-1"


def test_a_short_secret_as_many_services_give_it_works() -> None:
    conversation = sign_in(WITH_TOTP, now=lambda: 59.0)
    next(conversation)
    step = conversation.send(answer(207, Mfa_Code="71"))
    assert isinstance(step, SendCode)
    # What authenticator apps show for this secret in the second half minute of 1970.
    assert step.code == "996554"


@pytest.mark.parametrize(("last", "waits"), [(STEP - 1, 0), (STEP, 20), (STEP + 1, 50), (STEP + 500, 0)])
def test_no_totp_step_is_used_twice(last: int, waits: float) -> None:
    now = [NOW]
    conversation = sign_in(WITH_TOTP, now=lambda: now[0], last_totp_step=last)
    next(conversation)
    step = conversation.send(answer(207, Mfa_Code="71"))
    if waits:
        assert step == Wait(waits)
        now[0] += step.seconds
        step = conversation.send(None)
    assert isinstance(step, SendCode)
    assert step.totp_step == (last + 1 if waits else STEP)
    assert step.totp_step != last


def test_a_wait_that_ends_a_little_early_does_not_repeat_the_step() -> None:
    conversation = sign_in(WITH_TOTP, now=lambda: NOW, last_totp_step=STEP)
    next(conversation)
    conversation.send(answer(207, Mfa_Code="71"))
    step = conversation.send(None)
    assert isinstance(step, SendCode)
    assert step.totp_step == STEP + 1


def test_a_code_given_by_a_person_goes_first() -> None:
    step = begin(WITH_TOTP, mfa_code=" 111222 ").send(answer(207, Mfa_Code="71"))
    assert step == SendCode("id-1", "2FA", "111222", None, Repeat.UNSENT)
    step = begin(WITH_PIN, mfa_code="54321").send(answer(207, Mfa_Code="73"))
    assert step == SendCode("id-1", "PIN", "54321", None, Repeat.SAFE)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_code_is_none(blank: str) -> None:
    step = begin(WITH_PIN, mfa_code=blank).send(answer(207, Mfa_Code="73"))
    assert step == SendCode("id-1", "PIN", "12345", None, Repeat.SAFE)
    with pytest.raises(api.QuatrixMfaRequired):
        begin(PASSWORD_ONLY, mfa_code=blank).send(answer(207, Mfa_Code="71"))


@pytest.mark.parametrize(
    ("mfa_code", "credentials", "remedy"),
    [
        ("71", PASSWORD_ONLY, "totp_secret"),
        ("71", WITH_PIN, "totp_secret"),
        ("73", PASSWORD_ONLY, "pin"),
        ("73", WITH_TOTP, "pin"),
        ("99", WITH_TOTP, "Mfa-Code 99"),
        ("", WITH_PIN, "Mfa-Code absent"),
    ],
)
def test_what_is_missing_is_named(mfa_code: str, credentials: Credentials, remedy: str) -> None:
    with pytest.raises(api.QuatrixMfaRequired, match=remedy) as error:
        begin(credentials).send(answer(207, **({"Mfa_Code": mfa_code} if mfa_code else {})))
    assert "api_key" in str(error.value)
    assert error.value.status == 207


def test_207_is_no_success_the_second_time_either() -> None:
    conversation = begin(WITH_TOTP)
    conversation.send(answer(207, Mfa_Code="71"))
    with pytest.raises(api.QuatrixMfaRequired, match="further second factor"):
        conversation.send(answer(207, "id-2", Mfa_Code="73"))


def test_nothing_secret_is_shown() -> None:
    conversation = sign_in(WITH_TOTP, now=lambda: NOW)
    password_step = next(conversation)
    code_step = conversation.send(answer(207, "id-secret", Mfa_Code="71"))
    assert isinstance(code_step, SendCode)
    shown = repr((WITH_TOTP, WITH_PIN, password_step, code_step))
    secrets = ["s3cret", "robot@", "jbsw", "12345", "id-secret", code_step.code]
    assert [
        secret for secret in [*secrets, basic_authorization("robot@example.com", "s3cret")] if secret in shown
    ] == []


@pytest.mark.parametrize("secret", [TOTP_SECRET, TOTP_SECRET.lower(), "JBSW Y3DP EHPK 3PXP", "MFRGG===", "MFRGG"])
def test_secrets_as_services_show_them_are_fine(secret: str) -> None:
    check_totp_secret(secret)


@pytest.mark.parametrize("secret", ["", "   ", "===", "0189", "JBSW-Y3DP!", "päss", "A"])
def test_other_secrets_are_refused_without_repeating_them(secret: str) -> None:
    with pytest.raises(ValueError, match=r"is not base32|is empty") as error:
        check_totp_secret(secret)
    assert not secret.strip("= ") or secret not in str(error.value).replace("letters A-Z", "")
