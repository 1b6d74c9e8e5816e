from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api.errors import TransportStage
from airflow_provider_quatrix.api.messages import Repeat
from airflow_provider_quatrix.api.retry import RetryPolicy, may_repeat, parse_retry_after, pause

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
POLICY = RetryPolicy(first_pause=0.5, longest_pause=30.0)

SAFE, REFUSED, UNSENT = Repeat.SAFE, Repeat.REFUSED, Repeat.UNSENT
ALL = {SAFE, REFUSED, UNSENT}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0.0),
        ("Sun, 01 Mar 2026 13:00:10 +0100", 10.0),
        ("Sun, 01 Mar 2026 12:00:10 -0000", 10.0),
        ("Sun, 01 Mar 99999999999999999999 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (api.QuatrixTransportError("", TransportStage.ADDRESS), ALL),
        (api.QuatrixTransportError("", TransportStage.PROXY), ALL),
        (api.QuatrixTransportError("", TransportStage.TLS), set()),
        (api.QuatrixTransportError("", TransportStage.SETTINGS), set()),
        (api.QuatrixTransportError("", TransportStage.SENT), {SAFE}),
        (api.QuatrixTransportError("", TransportStage.SENT, sent=False), ALL),
        (api.QuatrixTransportError("", TransportStage.ADDRESS, sent=True), {SAFE}),
        (api.QuatrixTransportError("", TransportStage.TLS, sent=True), set()),
        (api.QuatrixRateLimited(429), {SAFE, REFUSED}),
        (api.QuatrixApiError(500), {SAFE}),
        (api.QuatrixApiError(501), set()),
        (api.QuatrixApiError(502), {SAFE}),
        (api.QuatrixApiError(503), {SAFE, REFUSED}),
        (api.QuatrixApiError(504), {SAFE}),
        (api.QuatrixRateLimited(509), {SAFE, REFUSED}),
        (api.QuatrixResponseError("", 502), {SAFE}),
        (api.QuatrixResponseError("", 503), {SAFE, REFUSED}),
        (api.QuatrixResponseError("", 503, cut=True), {SAFE}),
        (api.QuatrixResponseError("", 200, cut=True), {SAFE}),
        (api.QuatrixResponseError("", 200), set()),
        (api.QuatrixResponseError("", 401, cut=True), set()),
        (api.QuatrixSessionExpired(401), set()),
        (api.QuatrixAuthenticationError(401, 83), set()),
        (api.QuatrixMfaRequired(207, 71), set()),
        (api.QuatrixCaptchaRequired(401, 70), set()),
        (api.QuatrixCaptchaRequired(429, 70), set()),
        (api.QuatrixCaptchaRequired(503), set()),
        (api.QuatrixNotFound(404, 20), set()),
        (api.QuatrixLoginBudgetExhausted(retry_after=1.0, limit=12, window=900.0), set()),
        (KeyError("a bug"), set()),
    ],
)
def test_what_may_be_sent_again(error: Exception, kinds: set[Repeat]) -> None:
    assert {kind for kind in Repeat if may_repeat(error, kind)} == kinds


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (60, 30.0)])
def test_pauses_grow_to_a_limit_and_differ(attempt: int, longest: float) -> None:
    assert pause(None, attempt, POLICY, 0.0) == longest / 2
    assert pause(None, attempt, POLICY, 1.0) == longest
    assert longest / 2 < pause(api.QuatrixApiError(500), attempt, POLICY, 0.3) < longest


def test_a_wish_of_the_server_is_followed_unless_it_is_no_pause() -> None:
    assert pause(api.QuatrixRateLimited(429, retry_after=77.0), 1, POLICY, 0.5) == 77.0
    assert pause(api.QuatrixResponseError("", 503, retry_after=7.0), 4, POLICY, 0.5) == 7.0
    assert pause(api.QuatrixRateLimited(429, retry_after=0.0), 1, POLICY, 0.0) == 0.25


class Failing:
    def __init__(self, error: Exception, times: int = 1000) -> None:
        self.error = error
        self.left = times
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


def run(
    policy: RetryPolicy,
    call: Failing,
    repeat: Repeat = SAFE,
    deadline: float | None = None,
    most_sent: int | None = None,
) -> list[float]:
    pauses: list[float] = []
    retrying = policy.retrying(repeat, deadline or policy.deadline, most_sent=most_sent, sleep=pauses.append)
    assert retrying(call) == "done"
    return pauses


def test_a_call_that_recovers_is_tried_until_then() -> None:
    call = Failing(api.QuatrixApiError(502), times=3)
    pauses = run(RetryPolicy(first_pause=1.0), call)
    assert call.tries == 4
    assert [low <= got <= 2 * low for low, got in zip((0.5, 1.0, 2.0), pauses, strict=True)] == [True] * 3


def test_tries_are_counted() -> None:
    call = Failing(api.QuatrixApiError(502))
    with pytest.raises(api.QuatrixApiError):
        run(RetryPolicy(attempts=4), call)
    assert call.tries == 4


@pytest.mark.parametrize("longer", [None, 1000.0])
def test_no_pause_goes_beyond_the_deadline(longer: float | None) -> None:
    call = Failing(api.QuatrixRateLimited(429, retry_after=100.0), times=1)
    policy = RetryPolicy(deadline=99.0)
    if longer:
        assert run(policy, call, deadline=longer) == [100.0]
        return
    with pytest.raises(api.QuatrixRateLimited):
        run(policy, call)
    assert call.tries == 1


def test_a_far_wish_of_the_server_ends_the_tries() -> None:
    call = Failing(api.QuatrixRateLimited(429, retry_after=parse_retry_after("9" * 400, NOW)))
    with pytest.raises(api.QuatrixRateLimited):
        run(RetryPolicy(), call)
    assert call.tries == 1


def test_what_must_not_be_repeated_is_not() -> None:
    call = Failing(api.QuatrixApiError(500))
    with pytest.raises(api.QuatrixApiError):
        run(RetryPolicy(), call, REFUSED)
    assert call.tries == 1


def test_only_tries_that_were_sent_count_where_few_may_be() -> None:
    call = Failing(api.QuatrixApiError(503))
    with pytest.raises(api.QuatrixApiError):
        run(RetryPolicy(), call, most_sent=2)
    assert call.tries == 2
    call = Failing(api.QuatrixTransportError("nobody there"))
    with pytest.raises(api.QuatrixTransportError):
        run(RetryPolicy(attempts=5), call, most_sent=2)
    assert call.tries == 5
    call = Failing(api.QuatrixTransportError("gone", TransportStage.SENT))
    with pytest.raises(api.QuatrixTransportError):
        run(RetryPolicy(attempts=5), call, most_sent=2)
    assert call.tries == 2
