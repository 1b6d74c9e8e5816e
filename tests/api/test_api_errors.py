from __future__ import annotations

import errno
import json
import pickle
from typing import Any

import pytest
from refused_answers import SECRET, raised, refusal

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import errors
from airflow_provider_quatrix.api.errors import TransportStage
from airflow_provider_quatrix.api.messages import Response


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, None, api.QuatrixApiError),
        (400, 10, api.QuatrixApiError),
        (400, 20, api.QuatrixNotFound),
        (400, 90, api.QuatrixNotFound),
        (400, 30, api.QuatrixConflict),
        (400, 31, api.QuatrixConflict),
        (400, 32, api.QuatrixConflict),
        (400, 50, api.QuatrixPermissionDenied),
        (400, 74, api.QuatrixPermissionDenied),
        (400, 122, api.QuatrixQuotaExceeded),
        (401, None, api.QuatrixSessionExpired),
        (401, 14, api.QuatrixSessionExpired),
        (401, 50, api.QuatrixSessionExpired),
        (401, 70, api.QuatrixSessionExpired),
        (401, 71, api.QuatrixMfaRequired),
        (401, 73, api.QuatrixMfaRequired),
        (401, 74, api.QuatrixPermissionDenied),
        (401, 83, api.QuatrixAuthenticationError),
        (401, 84, api.QuatrixAuthenticationError),
        (403, 50, api.QuatrixPermissionDenied),
        (403, None, api.QuatrixPermissionDenied),
        (403, 20, api.QuatrixNotFound),
        (404, 20, api.QuatrixNotFound),
        (404, None, api.QuatrixNotFound),
        (404, 122, api.QuatrixQuotaExceeded),
        (405, 21, api.QuatrixApiError),
        (409, None, api.QuatrixConflict),
        (429, 50, api.QuatrixRateLimited),
        (429, None, api.QuatrixRateLimited),
        (500, 20, api.QuatrixApiError),
        (502, None, api.QuatrixApiError),
        (503, 30, api.QuatrixApiError),
        (504, None, api.QuatrixApiError),
        (507, None, api.QuatrixQuotaExceeded),
        (509, 20, api.QuatrixRateLimited),
    ],
)
def test_each_answer_becomes_its_exception(status: int, code: int | None, kind: type[api.QuatrixApiError]) -> None:
    error = raised(refusal(status, code, "Sorry", {"name": "x"}), retry_after=7.0)
    assert type(error) is kind
    assert isinstance(error, api.QuatrixApiError)
    assert (error.status, error.code, error.msg, error.details) == (status, code, "Sorry", {"name": "x"})
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("kind", "builtin", "number"),
    [
        (api.QuatrixNotFound, FileNotFoundError, errno.ENOENT),
        (api.QuatrixConflict, FileExistsError, errno.EEXIST),
        (api.QuatrixPermissionDenied, PermissionError, errno.EACCES),
        (api.QuatrixQuotaExceeded, OSError, errno.ENOSPC),
    ],
)
def test_errors_of_files_are_the_builtins_too(kind: type[api.QuatrixApiError], builtin: type, number: int) -> None:
    error = kind(400, 1, "Sorry", {"name": "x"})
    assert isinstance(error, builtin)
    assert isinstance(error, OSError)
    assert (error.errno, error.strerror, error.filename) == (number, str(error), None)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.errno, copy.status, copy.details) == (kind, number, 400, {"name": "x"})
    assert str(copy) == str(error) == "Sorry (HTTP 400, code 1)"


def test_secrets_are_in_no_form_of_an_error() -> None:
    details = dict.fromkeys(("session_id", "Token", "upload_key", "key", "pin", "CODE"), SECRET)
    answer = refusal(401, 70, f"Captcha for {SECRET}", details | {"note": f"see {SECRET}", "count": 3})
    block = raised(answer)
    assert isinstance(block, api.QuatrixCaptchaRequired)
    assert block.session_id == SECRET
    assert block.details == {"note": "see ***", "count": 3}
    for shown in (str(block), repr(block), repr(block.args), repr(block.details), repr(answer)):
        assert SECRET not in shown
    data = pickle.dumps(block)
    assert SECRET.encode() not in data
    copy = pickle.loads(data)  # noqa: S301 - our own bytes
    assert copy.session_id is None
    assert str(copy) == str(block)


def test_secrets_are_masked_however_deep_in_the_details() -> None:
    details = {
        "steps": [{"session_id": SECRET, "note": f"see {SECRET}"}, [[SECRET]]],
        "next": {"X-Auth-Token": SECRET, "Upload-Key": SECRET, "count": 3, "of": {SECRET: True}},
    }
    shown = {"steps": [{"note": "see ***"}, [["***"]]], "next": {"count": 3, "of": {"***": True}}}
    for error in (raised(refusal(400, 10, "No", details)), raised(refusal(401, 70, "Captcha", details))):
        assert isinstance(error, api.QuatrixApiError)
        assert error.details == shown
        assert SECRET not in f"{error!r} {error} {error.args}"
        data = pickle.dumps(error)
        assert SECRET.encode() not in data
        assert pickle.loads(data).details == shown  # noqa: S301 - our own bytes


def test_an_error_made_by_hand_drops_credentials_too() -> None:
    error = api.QuatrixApiError(400, 10, "No", {"a": [{"token": SECRET}, {"api_key": SECRET}], "b": 1})
    assert error.details == {"a": [{}, {}], "b": 1}
    assert error.args == (400, 10, "No", {"a": [{}, {}], "b": 1})


@pytest.mark.parametrize("status", [200, 400, 401, 429, 503])
@pytest.mark.parametrize("levels", [900, 5000])
@pytest.mark.parametrize("kind", ["object", "list"])
def test_details_nested_without_end_are_cut(status: int, levels: int, kind: str) -> None:
    begin, end = (b'{"a":', b"}") if kind == "object" else (b"[", b"]")
    body = b'{"msg":"x","code":1,"details":{"deep":' + begin * levels + b"1" + end * levels + b"}}"
    error = raised(Response(status, {}, body))
    assert len(f"{error!r} {error} {error.args}") < 1000
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_a_message_of_any_length_becomes_a_line() -> None:
    assert len(str(raised(refusal(400, 10, "long " * 100_000)))) < 1100


@pytest.mark.parametrize(
    ("members", "msg"),
    [
        ({"message": "Sorry"}, "Sorry"),
        ({"msg": "", "error": "sorry"}, "sorry"),
        ({"msg": "Sorry", "message": "else"}, "Sorry"),
        ({"msg": ["Sorry"]}, ""),
        ({"error": {"message": "Sorry"}}, ""),
    ],
)
def test_the_message_is_found_in_usual_members(members: dict[str, Any], msg: str) -> None:
    error = raised(Response(400, {}, json.dumps(members).encode()))
    assert isinstance(error, api.QuatrixApiError)
    assert error.msg == msg


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", 1772366400.0),
        ("Sun, 01 Mar 2026 12:00:00 -0000", 1772366400.0),
        ("Sun, 01 Mar 2026 13:00:00 +0100", 1772366400.0),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_the_servers_time_is_read(value: str | None, moment: float | None) -> None:
    assert Response(200, {} if value is None else {"Date": value}).date() == moment


@pytest.mark.parametrize(
    "error",
    [
        api.QuatrixTransportError("gone", TransportStage.SENT),
        api.QuatrixResponseError("odd", 502, cut=True, retry_after=3.0),
        api.QuatrixRateLimited(429, 50, "slowly", {"n": 1}, retry_after=9.0),
        api.QuatrixLoginBudgetExhausted(retry_after=61.0, limit=12, window=900.0),
    ],
)
def test_errors_survive_pickling(error: api.QuatrixError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_a_rejected_second_factor_stays_one_when_pickled() -> None:
    error = api.QuatrixAuthenticationError(401, 83, "Wrong code")
    assert not error.second_factor
    error.second_factor = True
    assert pickle.loads(pickle.dumps(error)).second_factor  # noqa: S301 - our own bytes


def test_an_exhausted_budget_says_how_long() -> None:
    error = api.QuatrixLoginBudgetExhausted(retry_after=61.4, limit=12, window=900.0)
    assert "12 logins" in str(error)
    assert "15 minutes" in str(error)
    assert "61 s" in str(error)
    assert error.retry_after == 61.4


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b'"text"', b"[1]", b"{half"])
def test_a_body_that_is_no_object_is_malformed(body: bytes) -> None:
    error = raised(Response(502, {}, body), retry_after=4.0)
    assert isinstance(error, api.QuatrixResponseError)
    assert (error.status, error.retry_after, error.cut) == (502, 4.0, False)
    assert "HTTP 502" in str(error)
    assert body[:5].decode() in str(error)


def test_too_many_calls_are_told_whatever_the_body() -> None:
    assert type(raised(Response(429, {}, b"<html>slow down</html>"))) is api.QuatrixRateLimited


def test_an_empty_error_is_told_by_its_status() -> None:
    error = raised(Response(401, {}, b" \n"))
    assert isinstance(error, api.QuatrixSessionExpired)
    assert str(error) == "Quatrix refused the call (HTTP 401)"


def test_an_excerpt_ends_before_no_half_secret() -> None:
    body = b"x" * 190 + SECRET.encode() + b"y" * 5000
    text = str(errors.malformed(Response(500, {}, body), "nonsense", lambda text: text.replace(SECRET, "***")))
    assert SECRET[:8] not in text
    assert "***" in text
    assert len(text) < 300


def test_what_looks_like_a_token_on_a_page_is_masked() -> None:
    page = b"<html>You are tok!en~session.0123456789abcdef, called at https://acme.quatrix.it</html>"
    text = str(errors.malformed(Response(500, {}, page), "a page", lambda text: text))
    assert "<html>You are ***, called at https://acme.quatrix.it</html>" in text


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff\xfe", b"[" * 200_000, b"9" * 5000])
def test_what_is_not_json_is_nothing(body: bytes) -> None:
    assert Response(200, {}, body).json() is None


@pytest.mark.parametrize("code", [True, "70", None, 7.5])
def test_a_code_that_is_no_number_is_none(code: Any) -> None:
    error = raised(Response(400, {}, json.dumps({"code": code, "msg": "No"}).encode()))
    assert isinstance(error, api.QuatrixApiError)
    assert error.code is None
