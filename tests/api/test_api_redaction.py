from __future__ import annotations

import base64
import gc
import logging
import sys
import threading
import uuid
from typing import TYPE_CHECKING

import pytest
from forked import status_of_child

from airflow_provider_quatrix.api import ApiKeyAuthorizer, FixedSession, QuatrixClient, SessionCalls, Transport
from airflow_provider_quatrix.api.auth import Credentials
from airflow_provider_quatrix.api.redaction import Redactor
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

UUID = "0b3f2a6e-7d0c-4d5e-9a51-3f6f2f0d9c11"


def test_known_secrets_are_masked_in_every_form() -> None:
    redactor = Redactor()
    redactor.add('p&ss "wörd"/+', None, "", "abc")
    for form in (
        'p&ss "wörd"/+',
        "p%26ss+%22w%C3%B6rd%22%2F%2B",
        r"p&ss \"w\u00f6rd\"/+",
        r"p&ss \"wörd\"/+",
        # UTF-8 taken for Latin-1, as in what a server sends in place of a status line.
        'p&ss "wÃ¶rd"/+',
    ):
        assert redactor(f"before {form} after") == "before *** after"
    assert redactor("abc") == "abc"


def test_the_longer_secret_goes_first() -> None:
    redactor = Redactor()
    redactor.add("secret", "secret-and-more")
    assert redactor("a secret-and-more b secret") == "a *** b ***"


@pytest.mark.parametrize(
    "text",
    [
        f"id {UUID}",
        f"id {UUID[:20]}",
        f"id {UUID[:11]}",
        '{"session_id": "abcdef"}',
        "X-Auth-Token: abcdef",
        "upload_key=abcdef&x=1",
        "'password': 'abcdef'",
        "code: 123456",
        '{"token":"abcdef',
    ],
)
def test_what_looks_like_a_secret_is_masked_unknown(text: str) -> None:
    shown = Redactor()(text)
    assert "***" in shown
    assert not {"abcdef", UUID[:9], "123456"} & set(shown.replace('"', " ").replace("'", " ").split())
    assert "abcdef" not in shown
    assert UUID[:9] not in shown


@pytest.mark.parametrize("text", ['{"code": 70, "msg": "Not authorized"}', "HTTP 503", "acme.quatrix.it:443"])
def test_harmless_text_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_a_password_is_masked_as_pages_and_headers_hold_it() -> None:
    redactor = Redactor()
    redactor.keep('p&ss/"wörd"', None, "", "abc")
    for form in ("p&amp;ss/&quot;wörd&quot;", "p%26ss/%22w%C3%B6rd%22", "p%26ss%2F%22w%C3%B6rd%22", "cCZzcy8id8O2cmQi"):
        assert redactor(f"before {form} after") == "before *** after"


@pytest.mark.parametrize("announce", [False, True])
def test_what_stays_valid_is_masked_however_much_else_comes_by(announce: bool) -> None:
    redactor = Redactor()
    redactor.keep("the-password")
    redactor.add("the-first-link")
    for number in range(2000):
        redactor.add(f"upload-key-{number:04}", announce=announce)
    assert redactor("the-password") == "***"
    assert redactor("upload-key-1999") == "***"
    assert redactor("the-first-link") == "the-first-link"
    assert redactor("upload-key-0000") == "upload-key-0000"


def test_what_came_by_first_may_be_kept_later() -> None:
    heard: list[str] = []
    redactor = Redactor(on_secret=heard.append)
    redactor.add("the-password", announce=False)
    redactor.keep("the-password")
    redactor.keep("the-password")
    assert sorted(heard) == ["dGhlLXBhc3N3b3Jk", "the-password"]
    for number in range(1000):
        redactor.add(f"upload-key-{number:04}")
    assert redactor("the-password") == "***"


def test_a_long_life_forgets_no_secret_of_the_connection(quatrix_emulator: EmulatorClient) -> None:
    secret = "JBSWY3DPEHPK3PXP"
    over = Transport(quatrix_emulator.url, proxy=f"http://me:proxy-pa55word@{quatrix_emulator.url[7:]}")
    over = Transport(quatrix_emulator.url, redactor=over.redactor)
    quatrix_emulator.add_api_key("the-long-lived-key", EMAIL)
    QuatrixClient(over, ApiKeyAuthorizer("the-long-lived-key")).profile()
    quatrix_emulator.add_user("pin@example.com", PASSWORD, pin="73519")
    SessionCalls(over).login(Credentials("pin@example.com", PASSWORD, totp_secret=secret, pin="73519"))
    for number in range(1500):
        over.redactor.add(f"upload-key-{number:04}", announce=False)
    basic = base64.b64encode(f"pin@example.com:{PASSWORD}".encode()).decode()
    for kept in ("the-long-lived-key", "proxy-pa55word", PASSWORD, secret, "73519", basic):
        assert over.redactor.known(kept) == "***"


def test_the_host_application_hears_of_each_secret_once() -> None:
    heard: list[str] = []
    redactor = Redactor(on_secret=heard.append)
    redactor.add("first-secret", "second/secret", "abc")
    redactor.add("first-secret")
    assert sorted(heard) == ["first-secret", "second%2Fsecret", "second/secret"]
    assert repr(redactor) == "Redactor(secrets=3)"


def test_only_so_many_are_remembered_and_used_ones_longest() -> None:
    redactor = Redactor()
    redactor.add("the-password")
    for number in range(999):
        redactor.add(f"session-{number:04}")
    redactor.add("the-password")
    redactor.add("session-last", "session-very-last")
    assert redactor("the-password") == "***"
    assert redactor("session-0001") == "session-0001"
    assert redactor("session-0002") == "***"


def wire_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]


def test_a_token_in_the_address_is_in_no_debug_line(
    quatrix_emulator: EmulatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    token = "pa/ss+ed=&proof"
    quatrix_emulator.configure(unblock_get=True, captcha_tokens=[token])
    over = Transport(quatrix_emulator.url)
    calls = SessionCalls(over, unblock_method="GET")
    session_id = calls.login(Credentials(EMAIL, PASSWORD))
    quatrix_emulator.block_session(session_id)
    with caplog.at_level(logging.DEBUG):
        assert calls.unblock(token, session_id)
    over.close()
    lines = [line for line in wire_lines(caplog) if "unblock-captcha" in line]
    assert len(lines) == 1
    assert "unblock-captcha?token=*** HTTP" in lines[0]
    # The server's own log is in the same process here.
    own = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert [line for line in own for secret in (token, "pa%2Fss", session_id) if secret in line] == []


def test_a_line_about_bad_headers_is_masked_too(caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor()
    redactor.add("the-secret-key")
    for name in ("connection", "connectionpool", "util.retry"):
        logging.getLogger(f"urllib3.{name}").warning("Failed to parse headers (url=%s): %s", "/x/the-secret-key", "odd")
    assert wire_lines(caplog) == ["Failed to parse headers (url=/x/***): odd"] * 3


def test_the_short_secret_of_one_client_does_not_uncover_the_long_one_of_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    short, long = Redactor(), Redactor()
    short.add("token")
    long.add("my-token-and-more")
    logging.getLogger("urllib3.connectionpool").warning("/x?token=my-token-and-more")
    assert wire_lines(caplog) == ["/x?***=***"]


def test_lines_of_others_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor()
    redactor.add("the-secret-key")
    logging.getLogger("urllib3.connectionpool").warning("Retrying %s", "/x/other")
    record = caplog.records[-1]
    assert (record.msg, record.args) == ("Retrying %s", ("/x/other",))


def test_a_client_that_is_gone_masks_nothing_and_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor()
    redactor.add("the-secret-key")
    del redactor
    gc.collect()
    logging.getLogger("urllib3.connectionpool").warning("the-secret-key")
    assert caplog.records[-1].getMessage() == "the-secret-key"


def test_clients_come_and_go_while_others_log() -> None:
    wire = logging.getLogger("urllib3.connectionpool")
    failures: list[Exception] = []
    done = threading.Event()

    def log_on() -> None:
        try:
            while not done.is_set():
                wire.handle(wire.makeRecord(wire.name, logging.DEBUG, "", 0, "line", (), None))
        except Exception as error:  # noqa: BLE001 - any failure is what the test looks for
            failures.append(error)

    threads = [threading.Thread(target=log_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        Redactor().add("the-secret-key")
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_secrets_come_and_go_while_texts_are_masked() -> None:
    redactor = Redactor()
    redactor.keep("the-password")
    done = threading.Event()

    def add_links() -> None:
        while not done.is_set():
            redactor.add(str(uuid.uuid4()))

    threads = [threading.Thread(target=add_links) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        masked = {redactor.known("the-password") for _ in range(2000)}
    finally:
        done.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert masked == {"***"}


def test_a_client_shows_no_secret(quatrix_emulator: EmulatorClient) -> None:
    over = Transport(quatrix_emulator.url)
    shown = ""
    for authorizer in (FixedSession("secret-session"), ApiKeyAuthorizer("the-key")):
        shown += repr([QuatrixClient(over, authorizer), authorizer, over, over.redactor, SessionCalls(over)])
    assert "secret-session" not in shown
    assert "the-key" not in shown


def test_a_child_forked_while_a_secret_is_added_can_add_its_own() -> None:
    redactor = Redactor()
    with redactor._lock:
        assert status_of_child(lambda: redactor.add("a-secret-of-the-child")) == 0
