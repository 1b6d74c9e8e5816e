from __future__ import annotations

import json
from typing import Any

import pytest
from http_servers import ScriptedServer, answer
from refused_answers import raised, refusal

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import Credentials, FixedSession, QuatrixClient, SessionCalls, Transport
from airflow_provider_quatrix.api.errors import TransportStage
from airflow_provider_quatrix.api.messages import Response
from airflow_provider_quatrix.api.refusals import blocked_session_id, is_captcha_block, is_session_id, refuses_login
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

PAGE = b"<html><script src='https://www.google.com/recaptcha/api.js'></script>Are you a robot?</html>"


def body(members: Any, status: int = 401, **headers: str) -> Response:
    return Response(status, headers, json.dumps(members).encode())


@pytest.mark.parametrize(
    ("msg", "details"),
    [
        ("Captcha required", None),
        ("please pass the CAPTCHA", {}),
        ("Not authorized", {"captcha_required": True}),
        ("Not authorized", {"next": {"step": ["solve the reCaptcha"]}}),
        (None, "captcha"),
    ],
)
@pytest.mark.parametrize("code", [None, 0, 50, 70, 74, 83])
@pytest.mark.parametrize("status", [400, 401, 403, 418, 429, 503])
def test_a_block_is_recognised_by_words(status: int, code: int | None, msg: str, details: Any) -> None:
    error = raised(refusal(status, code, msg, details), retry_after=9.0)
    assert isinstance(error, api.QuatrixCaptchaRequired)
    assert (error.status, error.retry_after) == (status, 9.0)


SHAPES = {
    "error": {"error": "captcha_required"},
    "message": {"message": "Captcha required", "captcha": True},
    "flag": {"captcha_required": True},
    "code": {"code": "CAPTCHA_REQUIRED", "msg": "No"},
    "list of errors": {"errors": [{"code": 7, "title": "Solve the captcha"}]},
    "nested": {"error": {"type": "captcha", "status": 401}},
    "name": {"name": "CaptchaRequired"},
    "list": ["captcha"],
    "text": "Captcha required",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_block_is_recognised_in_any_shape_of_json(status: int, shape: Any) -> None:
    assert isinstance(raised(body(shape, status)), api.QuatrixCaptchaRequired)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
def test_a_page_with_a_challenge_is_a_block(status: int) -> None:
    assert isinstance(raised(Response(status, {}, PAGE)), api.QuatrixCaptchaRequired)


@pytest.mark.parametrize(
    "refused",
    [
        refusal(401, 70, "Not authorized"),
        refusal(401, 70, "Not authorized", {"captcha_required": False, "captcha": None, "captcha_url": ""}),
        refusal(401, 70, "Not authorized", {"captcha_required": "false", "captcha": {"needed": [], "wanted": 0}}),
        refusal(404, 20, "captcha.pdf is not there"),
        refusal(404, None, "captcha.pdf is not there"),
        refusal(409, None, "captcha.pdf exists"),
        refusal(400, 30, "Exists", {"name": "captcha.pdf"}),
        refusal(401, 20, "captcha.pdf is not there"),
        refusal(400, 10, "Bad name", {"name": "captcha.pdf", "more": {"path": "/captcha/x"}}),
        refusal(400, 122, "No space for captcha.pdf"),
        refusal(200, None, "Captcha required"),
        refusal(302, None, "Captcha required"),
        refusal(500, None, "captcha service down"),
        Response(404, {}, PAGE),
        Response(502, {}, PAGE),
        Response(401, {}, b"<html>Sign in</html>"),
        Response(403, {}, b""),
        body([], 403),
    ],
)
def test_other_answers_are_no_block(refused: Response) -> None:
    assert not is_captcha_block(refused, path="file/move")


@pytest.mark.parametrize(
    "contents",
    [
        body([{"name": "captcha.pdf"}], 200),
        body({"content": [{"name": "captcha.pdf"}], "captcha": True}, 200),
        Response(200, {}, PAGE),
        Response(206, {}, b"captcha"),
    ],
)
@pytest.mark.parametrize("path", ["file/metadata", "file/download/x", "session/logout", "profile"])
def test_contents_are_never_searched(contents: Response, path: str) -> None:
    assert not is_captcha_block(contents, path=path)


@pytest.mark.parametrize("path", ["session/login", "session/keepalive"])
@pytest.mark.parametrize(
    "demand", [Response(200, {}, PAGE), body({"captcha_required": True}, 200), body({"captcha": True}, 404)]
)
def test_calls_that_know_no_files_are_searched_whatever_the_status(path: str, demand: Response) -> None:
    assert is_captcha_block(demand, path=path)


def test_a_login_that_hands_out_a_session_is_no_block() -> None:
    assert not is_captcha_block(body({"session_id": "an-id", "captcha_enabled": True}, 200), path="session/login")


def test_an_answer_that_repeats_the_calls_own_path_demands_nothing() -> None:
    path = "session/unblock-captcha"
    gone = body({"status": 405, "error": "Method Not Allowed", "path": f"/api/1.0/{path}"}, 405)
    assert not is_captcha_block(gone, path=path)
    assert is_captcha_block(gone, path="session/keepalive")
    assert is_captcha_block(body({"error": "captcha", "path": f"/api/1.0/{path}"}, 405), path=path)


def test_the_pattern_can_be_another_in_any_script() -> None:
    refused = refusal(403, 1, "Nein", {"hinweis": "Prüfung nötig"})
    assert not is_captcha_block(refused)
    assert isinstance(raised(refused, captcha_pattern="PRÜFUNG|turnstile"), api.QuatrixCaptchaRequired)
    assert is_captcha_block(refused, "^nein")


@pytest.mark.parametrize(
    ("members", "headers", "expected"),
    [
        ({"details": {"session_id": "a"}, "session_id": "b"}, {"X-Auth-Token": "c"}, "a"),
        ({"details": {"session_id": ""}, "session_id": "b"}, {"X-Auth-Token": "c"}, "b"),
        ({"details": {"session_id": "two\nlines"}, "session_id": "b"}, {}, "b"),
        ({"details": {"session_id": "sessiön"}}, {"X-Auth-Token": " "}, None),
        ({"details": {"session_id": "x" * 10_000}}, {}, None),
        ({"details": {"session_id": 7}}, {}, None),
        ({"details": None}, {"X-Auth-Token": "c"}, "c"),
        ({}, {}, None),
        ([], {}, None),
    ],
)
def test_the_blocked_session_is_found(members: Any, headers: dict[str, str], expected: str | None) -> None:
    assert blocked_session_id(body(members, **headers)) == expected


@pytest.mark.parametrize("value", ["", " ", "a b", "a\nb", "ä", "x" * 4097, None, 7])
def test_what_no_header_can_hold_is_no_session_id(value: Any) -> None:
    assert not is_session_id(value)


def test_a_long_token_is_a_session_id() -> None:
    assert is_session_id("eyJ" + "x" * 2000 + ".~!")


# Refused logins

REFUSED = [
    api.QuatrixCaptchaRequired(401),
    api.QuatrixCaptchaRequired(503),
    api.QuatrixAuthenticationError(401, 70),
    api.QuatrixMfaRequired(207, 71),
    api.QuatrixPermissionDenied(403),
    api.QuatrixPermissionDenied(401, 74),
    api.QuatrixApiError(400, 10),
    api.QuatrixApiError(423),
    api.QuatrixNotFound(404),
    api.QuatrixResponseError("a page", 200),
    api.QuatrixResponseError("a redirect", 302),
    api.QuatrixResponseError("a page", 403),
    api.QuatrixResponseError("a page", 403, cut=True),
]
PASSING = [
    api.QuatrixRateLimited(429),
    api.QuatrixRateLimited(509),
    api.QuatrixApiError(408),
    api.QuatrixApiError(500),
    api.QuatrixApiError(503),
    api.QuatrixResponseError("a page", 502),
    api.QuatrixResponseError("half an answer", 200, cut=True),
    api.QuatrixLoginBudgetExhausted(retry_after=1.0, limit=12, window=900.0),
    api.QuatrixTransportError("gone", TransportStage.SENT),
    api.QuatrixTransportError("no certificate", TransportStage.TLS),
    KeyError("a bug"),
]


@pytest.mark.parametrize("error", REFUSED, ids=repr)
def test_a_refused_login_is_one(error: Exception) -> None:
    assert refuses_login(error)


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_an_outage_refuses_no_login(error: Exception) -> None:
    assert not refuses_login(error)


def html(status: str) -> bytes:
    return answer(status, b"<html>Welcome to the airport</html>")


LOGINS = {
    "page with a challenge, 403": (answer("403 No", PAGE), api.QuatrixCaptchaRequired),
    "page with a challenge, 200": (answer("200 OK", PAGE), api.QuatrixCaptchaRequired),
    "error, 401": (answer("401 No", b'{"error": "captcha_required"}'), api.QuatrixCaptchaRequired),
    "flag, 403": (answer("403 No", b'{"captcha_required": true}'), api.QuatrixCaptchaRequired),
    "flag, 200": (answer("200 OK", b'{"captcha_required": true}'), api.QuatrixCaptchaRequired),
    "msg, 429": (answer("429 No", b'{"msg": "Captcha required"}', Retry_After="1"), api.QuatrixCaptchaRequired),
    "msg, 503": (answer("503 No", b'{"msg": "Captcha required"}'), api.QuatrixCaptchaRequired),
    "captive portal": (html("200 OK"), api.QuatrixResponseError),
    "captive portal elsewhere": (answer("302 Found", Location="http://portal.example/"), api.QuatrixResponseError),
    "firewall": (html("403 No"), api.QuatrixResponseError),
    "teapot": (answer("418 Teapot", b'{"msg": "blocked"}'), api.QuatrixApiError),
    "locked": (answer("423 Locked", b'{"code": 1, "msg": "account locked"}'), api.QuatrixApiError),
}


@pytest.mark.parametrize("factor", [False, True], ids=["password", "second factor"])
@pytest.mark.parametrize(("reply", "kind"), LOGINS.values(), ids=LOGINS)
def test_a_refused_login_is_told_and_not_sent_again(reply: bytes, kind: type[Exception], factor: bool) -> None:
    replies = iter([answer("207 More", b'{"session_id": "pending"}', Mfa_Code="73")] * factor + [reply] * 9)
    pauses: list[float] = []
    with ScriptedServer(lambda connection, _: connection.sendall(next(replies))) as server:
        over = Transport(server.url, sleep=pauses.append)
        with pytest.raises(kind) as error:
            SessionCalls(over).login(Credentials(EMAIL, PASSWORD, pin="73519"))
        over.close()
    assert type(error.value) is kind
    assert refuses_login(error.value)
    assert len(server.heads) == 1 + factor
    assert pauses == []


@pytest.mark.parametrize("status", ["429 No", "403 No", "503 No"])
def test_a_block_in_the_middle_of_work_is_not_asked_again(status: str) -> None:
    reply = answer(status, b'{"message": "Captcha required"}', Retry_After="1")
    with ScriptedServer(lambda connection, _: connection.sendall(reply)) as server:
        client = QuatrixClient(Transport(server.url), FixedSession("an-id"))
        with pytest.raises(api.QuatrixCaptchaRequired):
            client.profile()
    assert len(server.heads) == 1
