"""The CAPTCHA circuit breaker: nobody signs in while the account waits for a person."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from broker_setup import TOTP_SECRET, CountingStore, Team

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import SessionStatus
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.broker import PROBE_INTERVAL
from airflow_provider_quatrix.sessions.decisions import BLOCKED_LOGIN_INTERVAL

if TYPE_CHECKING:
    from airflow_provider_quatrix.sessions.broker import SessionBroker

KEEPALIVE = ("GET", "session/keepalive")


def blocked_in_use(team: Team) -> SessionBroker:
    """A broker whose live session has been blocked, and who has noticed."""
    broker = team.broker()
    broker.acquire()
    team.emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired):
        team.client_of(broker).profile()
    return broker


def blocked_at_login(team: Team) -> SessionBroker:
    """A broker that was refused at its first login."""
    team.emulator.block_user(EMAIL)
    broker = team.broker()
    with pytest.raises(api.QuatrixCaptchaRequired):
        broker.acquire()
    return broker


@pytest.mark.parametrize("begin", [blocked_in_use, blocked_at_login])
def test_nobody_signs_in_while_blocked(team: Team, begin) -> None:  # type: ignore[no-untyped-def]
    broker = begin(team)
    assert team.status() is SessionStatus.BLOCKED
    assert team.record().session.session_id is not None
    for again in (broker, team.broker(), team.broker(host="host-2")):
        calls = (
            again.acquire,
            again.login,
            again.check,
            team.client_of(again).profile,
            again.keep,
            partial(again.renew, "dead"),
        )
        for call in calls:
            with pytest.raises(api.QuatrixCaptchaRequired, match="until a person") as error:
                call()
            assert str(team.record().session.session_id) not in f"{error.value!r} {error.value.details}"
    assert team.emulator.logins == 1


def test_ordinary_callers_ask_now_and_then_only(team: Team) -> None:
    broker = blocked_in_use(team)
    before = team.emulator.requests
    for _ in range(20):
        with pytest.raises(api.QuatrixCaptchaRequired):
            broker.acquire()
    assert team.emulator.requests == before
    team.advance(PROBE_INTERVAL)
    for again in (broker, team.broker(), team.broker(host="host-2")):
        with pytest.raises(api.QuatrixCaptchaRequired):
            team.client_of(again).profile()
    assert team.emulator.requests == before + 1
    assert team.emulator.calls(*KEEPALIVE) == 1


@pytest.mark.parametrize(("max_age", "asked"), [(0.0, 3), (30.0, 1), (60.0, 1)])
def test_checks_believe_a_block_for_as_long_as_they_say(team: Team, max_age: float, asked: int) -> None:
    broker = blocked_in_use(team)
    team.advance(100)
    for _ in range(3):
        with pytest.raises(api.QuatrixCaptchaRequired):
            broker.check(max_age)
    assert team.emulator.calls(*KEEPALIVE) == asked


@pytest.mark.parametrize("begin", [blocked_in_use, blocked_at_login])
def test_a_passed_captcha_is_noticed_without_a_login(team: Team, begin) -> None:  # type: ignore[no-untyped-def]
    broker = begin(team)
    team.emulator.unblock_user(EMAIL)
    team.advance(PROBE_INTERVAL)
    assert team.client_of(team.broker(host="host-2")).profile().email == EMAIL
    assert broker.acquire() == team.record().session.session_id
    assert team.status() is SessionStatus.OPEN
    assert team.emulator.logins == 1


def test_once_the_blocked_session_has_died_one_login_per_five_minutes(team: Team) -> None:
    broker = blocked_in_use(team)
    team.emulator.expire_sessions()
    # The last login is too recent: the death is noted, nobody signs in.
    with pytest.raises(api.QuatrixCaptchaRequired, match="every 5 minutes"):
        broker.check()
    assert team.record().session.session_id is None
    assert team.emulator.logins == 1
    team.advance(BLOCKED_LOGIN_INTERVAL)
    for again in (broker, team.broker(), team.broker(host="host-2")):
        with pytest.raises(api.QuatrixCaptchaRequired):
            again.check()
    assert team.emulator.logins == 2
    # The refused login has handed out another session to ask with.
    assert team.record().session.session_id is not None


def test_without_any_session_to_ask_with_logins_are_five_minutes_apart(team: Team) -> None:
    team.emulator.configure(captcha_details=False, captcha_header=False)
    broker = blocked_at_login(team)
    assert team.record().session.session_id is None
    for logins in (1, 2, 3):
        for _ in range(5):
            with pytest.raises(api.QuatrixCaptchaRequired):
                broker.check()
        assert team.emulator.logins == logins
        team.advance(BLOCKED_LOGIN_INTERVAL)
    team.emulator.unblock_user(EMAIL)
    broker.check()
    assert team.emulator.logins == 4
    assert team.status() is SessionStatus.OPEN


def test_a_login_lost_while_blocked_counts_as_one(team: Team) -> None:
    team.emulator.configure(captcha_details=False, captcha_header=False)
    broker = blocked_at_login(team)
    team.advance(BLOCKED_LOGIN_INTERVAL)
    team.emulator.fault("session/login", status=500, times=None)
    with pytest.raises(api.QuatrixApiError):
        broker.check()
    logins = team.emulator.logins
    with pytest.raises(api.QuatrixCaptchaRequired):
        broker.check()
    assert team.emulator.logins == logins


def test_an_outage_while_blocked_changes_nothing(team: Team) -> None:
    broker = blocked_in_use(team)
    record = team.record()
    team.emulator.fault("session/keepalive", status=503, times=None)
    with pytest.raises(api.QuatrixApiError):
        broker.check()
    after = team.record()
    assert (after.session, after.block, after.claim) == (record.session, record.block, None)


def test_a_blocked_session_that_lacks_its_second_factor_is_gone(team: Team) -> None:
    team.emulator.add_user(EMAIL, PASSWORD, pin="12345")
    broker = team.broker(pin="12345")
    team.emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired):
        broker.acquire()
    team.emulator.unblock_user(EMAIL)
    team.advance(BLOCKED_LOGIN_INTERVAL)
    broker.check()
    assert broker.state().status is SessionStatus.OPEN
    assert team.emulator.logins == 2


def test_a_block_is_seen_by_login_and_keep_too(team: Team) -> None:
    for call in ("login", "keep", "check"):
        team.emulator.reset()
        team.store.delete()
        broker = team.broker(host=call)
        broker.acquire()
        team.emulator.block_session(str(team.record().session.session_id))
        with pytest.raises(api.QuatrixCaptchaRequired):
            getattr(broker, call)()
        assert team.status() is SessionStatus.BLOCKED
        assert team.emulator.logins == 1


def test_a_block_at_the_second_factor_stops_logins(team: Team) -> None:
    team.emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    team.emulator.fault("session/login", method="POST", status=401, body={"code": 70, "msg": "Captcha required"})
    broker = team.broker(totp_secret=TOTP_SECRET)
    for _ in range(3):
        with pytest.raises(api.QuatrixCaptchaRequired):
            broker.acquire()
    assert team.emulator.logins == 1


def test_a_late_report_does_not_undo_a_newer_session(team: Team) -> None:
    broker = team.broker()
    old = broker.acquire()
    team.emulator.expire_sessions()
    new = broker.renew(old)
    broker.blocked(api.QuatrixCaptchaRequired(401, 70, "Captcha required"), old)
    assert (team.status(), team.record().session.session_id) == (SessionStatus.OPEN, new)
    broker.blocked(api.QuatrixCaptchaRequired(401, 70, "Captcha required"), new)
    assert team.status() is SessionStatus.BLOCKED


# Passing the CAPTCHA


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("begin", [blocked_in_use, blocked_at_login])
def test_a_right_token_makes_the_session_work(team: Team, begin, method: str) -> None:  # type: ignore[no-untyped-def]
    team.emulator.configure(unblock_get=True)
    begin(team)
    broker = team.broker(unblock_method=method)
    assert broker.unblock("passed") is True
    assert team.client_of(broker).profile().email == EMAIL
    assert team.broker().acquire() == broker.acquire()
    assert team.emulator.logins == 1
    assert team.emulator.calls(method, "session/unblock-captcha") == 1


def test_a_token_may_come_before_anybody_has_noticed_the_block(team: Team) -> None:
    broker = team.broker()
    session_id = broker.acquire()
    team.emulator.block_session(session_id)
    assert team.broker(host="host-2").unblock("passed") is True
    assert team.client_of(broker).profile().email == EMAIL


def test_a_wrong_token_is_told_and_changes_nothing(team: Team) -> None:
    broker = blocked_in_use(team)
    with pytest.raises(api.QuatrixCaptchaRequired, match="get a new one") as error:
        broker.unblock("wrong-token")
    assert "wrong-token" not in str(error.value)
    assert team.status() is SessionStatus.BLOCKED
    assert broker.unblock("passed") is True


def test_a_wrong_token_may_be_told_in_words(team: Team) -> None:
    broker = blocked_in_use(team)
    team.emulator.fault("session/unblock-captcha", status=401, body={"code": 70, "msg": "Wrong captcha"})
    with pytest.raises(api.QuatrixCaptchaRequired, match="get a new one"):
        broker.unblock("wrong-token")


def test_a_token_for_a_dead_session_is_useless(team: Team) -> None:
    broker = blocked_in_use(team)
    team.emulator.expire_sessions()
    for _ in range(2):
        with pytest.raises(api.QuatrixCaptchaRequired, match="returned no session"):
            broker.unblock("passed")
    assert team.record().session.session_id is None
    assert team.emulator.calls("POST", "session/unblock-captcha") == 0
    assert team.emulator.logins == 1


@pytest.mark.parametrize("code", [70, 71])
def test_a_session_that_dies_just_before_the_token_comes(team: Team, code: int) -> None:
    broker = blocked_in_use(team)
    team.emulator.fault("session/unblock-captcha", status=401, body={"code": code, "msg": "Not authorized"})
    with pytest.raises(api.QuatrixCaptchaRequired, match="no token can unblock it"):
        broker.unblock("passed")
    assert (team.status(), team.record().session.session_id) == (SessionStatus.BLOCKED, None)


def test_without_a_block_the_token_is_not_used(team: Team) -> None:
    broker = team.broker()
    assert broker.unblock("passed") is False
    assert broker.unblock("passed") is False
    assert team.emulator.calls("POST", "session/unblock-captcha") == 0
    assert team.emulator.logins == 1


@pytest.mark.parametrize("moment", [2, 3])
def test_a_block_passed_meanwhile_needs_no_token(team: Team, moment: int) -> None:
    """Somebody else hands in a token between this broker's look and its turn."""
    blocked_in_use(team)

    class Meanwhile(CountingStore):
        def read(self) -> str | None:
            self.reads += 1
            if self.reads == moment:
                team.broker(host="host-2").unblock("passed")
            return team.store.read()

        def write(self, text: str) -> None:
            team.store.write(text)

    assert team.broker(store=Meanwhile()).unblock("passed") is False
    assert team.emulator.calls("POST", "session/unblock-captcha") == 1


def test_where_login_must_be_repeated_it_is(team: Team) -> None:
    team.emulator.configure(captcha_unblock_ends_session=True)
    broker = blocked_in_use(team)
    assert broker.unblock("passed") is True
    assert team.status() is SessionStatus.NONE
    assert team.client_of(broker).profile().email == EMAIL
    assert team.emulator.logins == 2


def test_a_session_still_blocked_after_the_token_stays_so(team: Team) -> None:
    broker = blocked_in_use(team)
    team.emulator.fault("session/keepalive", after=1, status=401, body={"code": 70, "msg": "Captcha required"})
    with pytest.raises(api.QuatrixCaptchaRequired):
        broker.unblock("passed")
    assert team.emulator.counters["captcha_passed"] == 1
    assert team.status() is SessionStatus.BLOCKED
    broker.check()


def test_the_token_is_not_sent_again_where_it_may_have_arrived(team: Team) -> None:
    broker = blocked_in_use(team)
    team.emulator.fault("session/unblock-captcha", cut="connection", execute_anyway=True)
    with pytest.raises(api.QuatrixTransportError):
        broker.unblock("passed")
    assert team.emulator.calls("POST", "session/unblock-captcha") == 1
    broker.check()
    assert team.status() is SessionStatus.OPEN
    assert team.emulator.logins == 1


# Logout of a blocked session


def test_logout_keeps_what_is_needed_to_unblock(team: Team) -> None:
    broker = blocked_in_use(team)
    assert broker.end() is False
    assert broker.unblock("passed") is True
    assert team.emulator.calls("GET", "session/logout") == 0


def test_logout_that_meets_a_block_keeps_the_session(team: Team) -> None:
    team.emulator.configure(captcha_exempt=[])
    broker = team.broker()
    broker.acquire()
    team.emulator.block_user(EMAIL)
    assert broker.end() is False
    assert team.status() is SessionStatus.BLOCKED
    assert broker.unblock("passed") is True
    assert team.emulator.logins == 1
