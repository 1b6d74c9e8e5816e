"""The budget of logins, refused credentials and second factors."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from broker_setup import POLICY, TOTP_SECRET, CountingStore, Team

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import SessionStatus
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.decisions import LOGIN_LIMIT
from airflow_provider_quatrix.sessions.packing import pack
from airflow_provider_quatrix.sessions.record import LOGIN_WINDOW, AccountRecord

if TYPE_CHECKING:
    from airflow_provider_quatrix.sessions.broker import SessionBroker

WHO = api.Credentials(EMAIL, PASSWORD)


def sign_in_again(team: Team, broker: SessionBroker, times: int) -> None:
    for _ in range(times):
        team.emulator.expire_sessions()
        team.advance(1)
        team.client_of(broker).profile()


# Budget


def test_the_thirteenth_login_is_not_sent(team: Team) -> None:
    team.emulator.configure(login_limit=None)
    broker = team.broker()
    sign_in_again(team, broker, LOGIN_LIMIT)
    assert team.emulator.logins == LOGIN_LIMIT
    requests = team.emulator.requests
    team.emulator.expire_sessions()
    for other in (broker, team.broker()):
        with pytest.raises(api.QuatrixLoginBudgetExhausted) as error:
            other.renew((broker.state().status is SessionStatus.OPEN and str(team.record().session.session_id)) or "x")
        assert LOGIN_WINDOW - 60 < float(error.value.retry_after or 0) <= LOGIN_WINDOW - LOGIN_LIMIT + 1
    assert team.emulator.requests == requests
    team.advance(LOGIN_WINDOW - LOGIN_LIMIT + 1)
    team.client_of(broker).profile()
    assert team.emulator.logins == LOGIN_LIMIT + 1


def test_a_service_that_refuses_every_call_after_the_login_gets_no_more_logins(team: Team) -> None:
    team.emulator.fault("profile", times=None, status=401, body={"code": 70, "msg": "Not authorized"})
    errors = []
    for number in range(20):
        broker = team.broker(host=f"host-{number % 3}")
        with pytest.raises(api.QuatrixError) as error:
            team.client_of(broker).profile()
        errors.append(type(error.value))
    # The first task signs in twice, each further one once.
    assert errors == [api.QuatrixSessionExpired] * 11 + [api.QuatrixLoginBudgetExhausted] * 9
    assert team.emulator.logins == LOGIN_LIMIT


def test_the_budget_is_shared_by_hosts_through_the_store(team: Team) -> None:
    sign_in_again(team, team.broker(host="host-1"), 6)
    sign_in_again(team, team.broker(host="host-2"), 6)
    team.emulator.expire_sessions()
    with pytest.raises(api.QuatrixLoginBudgetExhausted):
        team.client_of(team.broker(host="host-3")).profile()
    assert team.emulator.logins == LOGIN_LIMIT


def test_the_budget_is_shared_by_connections_of_a_host(team: Team) -> None:
    sign_in_again(team, team.broker(), 6)
    sign_in_again(team, team.broker(store=CountingStore(), login=EMAIL.upper()), 6)
    with pytest.raises(api.QuatrixLoginBudgetExhausted):
        team.broker(store=CountingStore()).acquire()
    assert team.emulator.logins == LOGIN_LIMIT


def test_another_password_does_not_refill_the_budget(team: Team) -> None:
    sign_in_again(team, team.broker(host="host-1"), LOGIN_LIMIT)
    team.emulator.add_user(EMAIL, "changed-password")
    with pytest.raises(api.QuatrixLoginBudgetExhausted):
        team.broker(host="host-2", password="changed-password").acquire()
    assert team.emulator.logins == LOGIN_LIMIT


def test_a_host_that_signs_in_meanwhile_counts(team: Team) -> None:
    """The other host signs in after this one has claimed the account, and before it sends its own login."""
    here, there = team.broker(host="host-1"), team.broker(host="host-2")
    here.acquire()
    sign_in_again(team, there, LOGIN_LIMIT - 2)
    current = str(team.record().session.session_id)
    team.emulator.expire_sessions()

    class Meanwhile(CountingStore):
        def read(self) -> str | None:
            self.reads += 1
            text = team.store.read()
            if self.reads == 2:
                record = team.record()
                team.store.write(pack(record.attempted(team.now()), RecordCipher(team.emulator.url, WHO)))
                text = team.store.read()
            return text

        def write(self, text: str) -> None:
            team.store.write(text)

    with pytest.raises(api.QuatrixLoginBudgetExhausted):
        team.broker(host="host-1", store=Meanwhile()).renew(current)
    assert team.emulator.logins == LOGIN_LIMIT - 1


def test_repeats_of_a_login_are_counted_too(team: Team) -> None:
    team.emulator.fault("session/login", status=503, times=None)
    broker = team.broker()
    for _ in range(LOGIN_LIMIT // POLICY.attempts):
        with pytest.raises(api.QuatrixApiError):
            broker.acquire()
    with pytest.raises(api.QuatrixLoginBudgetExhausted):
        broker.acquire()
    assert team.emulator.logins == LOGIN_LIMIT


def test_logins_that_never_arrived_cost_nothing(team: Team) -> None:
    from socket import create_server

    with create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    store = CountingStore()
    broker = team.broker(store=store, url=url)
    for _ in range(LOGIN_LIMIT):
        with pytest.raises(api.QuatrixTransportError, match="cannot be reached"):
            broker.acquire()
    assert broker.state().login_attempts == 0
    assert team.broker(store=CountingStore(), url=url).state().login_attempts == 0


# Refused credentials


@pytest.mark.parametrize("end_between", [False, True])
def test_a_rejected_password_is_tried_once(team: Team, end_between: bool) -> None:
    broker = team.broker(password="wrong-password")
    with pytest.raises(api.QuatrixAuthenticationError, match="login or password"):
        broker.acquire()
    if end_between:
        assert broker.end() is False
    for again in (broker, team.broker(password="wrong-password", host="host-2")):
        calls = (again.acquire, again.login, again.check, team.client_of(again).profile, partial(again.unblock, "x"))
        for call in calls:
            with pytest.raises(api.QuatrixAuthenticationError, match="not tried again") as error:
                call()
            assert "wrong-password" not in str(error.value)
    with pytest.raises(api.QuatrixSessionExpired):
        broker.keep()
    assert broker.state().status is SessionStatus.REJECTED
    assert team.emulator.requests == 1
    assert team.broker().acquire()
    assert team.emulator.logins == 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_refusal_names_what_a_person_may_delete(team: Team, fails: bool) -> None:
    class Named(CountingStore):
        name = "quatrix_session__acme"

    store = Named()
    store.fails = fails
    messages = []
    for _ in range(2):
        with pytest.raises(api.QuatrixAuthenticationError) as error:
            team.broker(store=store, password="wrong-password").acquire()
        messages.append(str(error.value))
    assert "delete" not in messages[0]
    place = f"the file {team.folder / 'host-1'}/" if fails else "the Variable quatrix_session__acme"
    assert f"the account was corrected instead, delete {place}" in messages[1]


def test_a_password_rejected_in_many_threads_is_sent_once(team: Team) -> None:
    brokers = [team.broker(password="wrong-password") for _ in range(2)]
    errors: list[BaseException] = []

    def work(broker: SessionBroker) -> None:
        try:
            broker.acquire()
        except api.QuatrixAuthenticationError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(broker,)) for broker in brokers * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 12
    assert team.emulator.logins == 1


def test_a_refusal_cut_short_is_remembered_too(team: Team) -> None:
    team.emulator.fault("session/login", cut="body")
    broker = team.broker(password="wrong-password")
    for _ in range(3):
        with pytest.raises(api.QuatrixAuthenticationError):
            broker.acquire()
    assert team.emulator.logins == 1


def test_a_wrong_password_given_with_a_code_is_remembered(team: Team) -> None:
    broker = team.broker(password="wrong-password")
    with pytest.raises(api.QuatrixAuthenticationError):
        broker.login(mfa_code="123456")
    with pytest.raises(api.QuatrixAuthenticationError, match="not tried again"):
        broker.login(mfa_code="654321")
    assert team.emulator.logins == 1


# Second factors


def totp_user(team: Team, **settings: Any) -> None:
    team.emulator.configure(login_limit=None, **settings)
    team.emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)


def test_a_missing_second_factor_is_remembered_until_a_person_helps(team: Team) -> None:
    totp_user(team)
    broker = team.broker()
    with pytest.raises(api.QuatrixMfaRequired, match="totp_secret"):
        broker.acquire()
    for again in (broker, team.broker(host="host-2")):
        for blank in (None, "", " "):
            with pytest.raises(api.QuatrixMfaRequired, match="not tried again"):
                again.login(mfa_code=blank)
    assert team.emulator.logins == 1
    assert broker.state().status is SessionStatus.REJECTED
    code = pyotp.TOTP(TOTP_SECRET).at(int(team.now()))
    assert broker.login(mfa_code=code).status is SessionStatus.OPEN
    assert team.client_of(broker).profile().email == EMAIL


@pytest.mark.parametrize("refusal_code", [83, 70])
def test_a_mistyped_code_is_not_held_against_the_connection(team: Team, refusal_code: int) -> None:
    totp_user(team, wrong_totp_code=refusal_code)
    broker = team.broker()
    for _ in range(2):
        with pytest.raises(api.QuatrixAuthenticationError, match="second factor"):
            broker.login(mfa_code="000000")
        team.advance(1)
    assert broker.login(mfa_code=pyotp.TOTP(TOTP_SECRET).at(int(team.now()))).status is SessionStatus.OPEN


@pytest.mark.parametrize("refusal_code", [83, 70])
def test_a_wrong_secret_in_the_connection_is_tried_once(team: Team, refusal_code: int) -> None:
    totp_user(team, wrong_totp_code=refusal_code)
    broker = team.broker(totp_secret="MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK")
    for _ in range(3):
        with pytest.raises(api.QuatrixAuthenticationError, match="second factor"):
            broker.acquire()
    assert team.emulator.logins == 1
    assert team.emulator.counters["codes_received"] == 1


def test_a_pin_signs_in_unattended(team: Team) -> None:
    team.emulator.add_user(EMAIL, PASSWORD, pin="12345")
    assert team.client_of(team.broker(pin="12345")).profile().email == EMAIL


@pytest.mark.parametrize(
    "other",
    [
        {"host": "host-2"},
        # A changed PIN makes the record void, and is no new TOTP secret.
        {"host": "host-2", "pin": "99999"},
        # Another connection to the same account knows nothing of this one's record.
        {"store": CountingStore()},
        {"store": CountingStore(), "login": EMAIL.upper()},
    ],
    ids=["another host", "changed PIN", "another connection", "another spelling"],
)
def test_no_totp_code_is_sent_twice(team: Team, other: dict[str, Any]) -> None:
    totp_user(team)
    team.broker(totp_secret=TOTP_SECRET).acquire()
    team.emulator.expire_sessions()
    assert team.broker(totp_secret=TOTP_SECRET, **other).login().status is SessionStatus.OPEN
    assert team.emulator.counters["totp_replays"] == 0
    assert team.emulator.counters["codes_received"] == 2
    assert len(team.slept) == 1
    assert 0 < team.slept[0] <= 30


def test_a_code_that_may_have_arrived_is_not_sent_again(team: Team) -> None:
    totp_user(team)
    team.emulator.fault("session/login", method="POST", cut="connection", execute_anyway=True)
    broker = team.broker(totp_secret=TOTP_SECRET)
    with pytest.raises(api.QuatrixTransportError):
        broker.acquire()
    assert broker.acquire()
    assert team.emulator.counters["totp_replays"] == 0
    assert team.emulator.counters["codes_received"] == 2
    assert len(team.slept) == 1


def test_a_clock_that_was_put_back_is_not_waited_for(team: Team) -> None:
    totp_user(team)
    broker = team.broker(totp_secret=TOTP_SECRET)
    team.store.write(pack(AccountRecord(totp_step=int(time.time() // 30) + 1000), RecordCipher(team.emulator.url, WHO)))
    assert broker.acquire()
    assert team.slept == []


# A block that is no CAPTCHA


def test_a_blocked_address_is_tried_once_in_five_minutes(team: Team) -> None:
    team.emulator.fault("session/login", status=401, body={"code": 74, "msg": "Your address is blocked"}, times=2)
    broker = team.broker()
    with pytest.raises(api.QuatrixPermissionDenied, match="Your address is blocked"):
        broker.acquire()
    team.advance(60)
    for other in (broker, team.broker()):
        with pytest.raises(api.QuatrixPermissionDenied, match="tried again every 5 minutes"):
            other.acquire()
    assert team.emulator.logins == 1
    team.advance(250)
    with pytest.raises(api.QuatrixPermissionDenied, match="Your address is blocked"):
        broker.acquire()
    assert team.emulator.logins == 2
    team.advance(310)
    team.client_of(broker).profile()
    assert team.emulator.logins == 3
    assert broker.state().status is SessionStatus.OPEN
