"""What is said about shares is checked before anything is sent; references tell nothing without the connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_quatrix.api.auth import Credentials
from airflow_provider_quatrix.hooks.share_arguments import (
    InvalidShareError,
    check_quicklink,
    check_request_recipients,
    checked_emails,
    checked_moment,
    checked_number_of_recipients,
    checked_period,
    checked_pin,
    checked_share_type,
    checked_text,
    reference_of,
)
from airflow_provider_quatrix.hooks.share_references import ShareKind, ShareReference
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.cipher import RecordCipher

NOW = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ((), ()),
        ("", ()),
        ("anna@example.com", ("anna@example.com",)),
        ("Anna@Example.com, bo@example.com;\nbo@EXAMPLE.com", ("anna@example.com", "bo@example.com")),
        (["anna@example.com", " bo@example.com "], ("anna@example.com", "bo@example.com")),
        # As a template renders a list.
        ("['anna@example.com', 'bo@example.com']", ("anna@example.com", "bo@example.com")),
    ],
)
def test_addresses(value: Any, expected: tuple[str, ...]) -> None:
    assert checked_emails(value) == expected


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: checked_emails("anna"), "recipients has 'anna': give e-mail addresses"),
        (lambda: checked_emails("Anna Smith <anna@example.com>"), "recipients has 'Anna'"),
        (lambda: checked_emails(["a@b.c"]), "recipients has 'a@b.c'"),
        (lambda: checked_emails([f"{'a' * 250}@example.com"]), "recipients has 'aaaa"),
        (lambda: checked_emails([5]), "recipients has 5: give e-mail addresses as text"),
        (lambda: checked_emails(5), "recipients is 5: give"),
        (lambda: checked_emails({"email": "anna@example.com"}), "recipients is {'email'"),
        (
            lambda: check_request_recipients(()),
            "recipients is empty: give the e-mail addresses of those who are to send files",
        ),
        (lambda: checked_text("subject", 5, 500), "subject is 5: give a text"),
        (lambda: checked_text("message", "x" * 10_001, 10_000), "message has 10,001 characters.*10,000: shorten it"),
        (lambda: checked_pin(""), "pin is empty: give a text"),
        (lambda: checked_pin("  "), "pin is empty"),
        (lambda: checked_pin("\ud800"), "pin is not valid Unicode"),
        (lambda: checked_pin(["1234"]), "pin is of type list: give a text"),
        (lambda: checked_pin(True), "pin is of type bool"),
        (lambda: checked_share_type("T"), "share_type is 'T': give one of 'tracked', 'restricted', 'public'"),
        (lambda: checked_moment("expires", "tomorrow"), "expires is 'tomorrow': give a datetime"),
        (lambda: checked_moment("expires", 5), "expires is 5: give a datetime"),
        (lambda: checked_moment("activates", "2026-07-01"), "activates is '2026-07-01', without a time zone"),
        (lambda: checked_moment("expires", timedelta(0)), "expires is 0:00:00, in the past: give a timedelta"),
        (lambda: checked_period(None, NOW - HOUR, NOW), "expires is 2026-06-30T23:00:00Z, in the past: give a later"),
        (lambda: checked_period(2 * HOUR, HOUR, NOW), "expires is 2026-07-01T01:00:00Z, not after activates"),
        (lambda: checked_period(HOUR, HOUR, NOW), "let it end after it begins"),
        (lambda: checked_number_of_recipients(0), "recipients is 0: give 'all', or a number"),
        (lambda: checked_number_of_recipients("any"), "recipients is 'any'"),
        (lambda: checked_number_of_recipients(True), "recipients is True"),
        (lambda: check_quicklink(False, ()), "recipients is empty.*or set quicklink=True"),
        (lambda: check_quicklink(True, ("a",)), "recipients and quicklink are both given"),
        (lambda: check_quicklink(True, (), expires=HOUR), "expires is given, and quicklink is True"),
        (lambda: reference_of(None), "share is empty: give the result of the task that has shared"),
        (lambda: reference_of({"path": "/a"}), "share is of type dict, without a reference"),
        (lambda: reference_of(5), "share is of type int"),
    ],
)
def test_bad_input_is_named_with_its_remedy(check: Any, message: str) -> None:
    with pytest.raises(InvalidShareError, match=message):
        check()


def test_what_fits_is_taken() -> None:
    assert checked_pin(1234) == "1234"
    assert checked_pin(None) is None
    assert checked_text("subject", "x" * 500, 500) == "x" * 500
    assert checked_number_of_recipients("all") == "all"
    assert checked_number_of_recipients(2) == 2
    assert checked_moment("expires", "None") is None
    check_quicklink(True, (), expires=None, message="")
    check_quicklink(False, ("anna@example.com",), expires=HOUR)


@pytest.mark.parametrize(
    "expires",
    [HOUR, NOW + HOUR, "2026-07-01T01:00:00Z", (NOW + HOUR).astimezone(timezone(2 * HOUR))],
)
def test_moments_are_unix_times(expires: Any) -> None:
    assert checked_period(None, expires, NOW) == (None, int((NOW + HOUR).timestamp()))
    assert checked_period(timedelta(minutes=1), None, NOW) == (int(NOW.timestamp()) + 60, None)


def cipher(password: str = PASSWORD) -> RecordCipher:
    return RecordCipher("https://acme.quatrix.it", Credentials(EMAIL, password))


ID = "5e0d3a52-1111-4222-8333-444455556666"
SHARE = ShareReference(ShareKind.SHARE, ID, f"https://x/{ID}", ("anna@example.com",), named=False, expires=5.0)


def test_a_reference_can_be_opened_by_its_connection_only() -> None:
    sealed = SHARE.seal(cipher())
    assert ShareReference.opened(sealed, cipher(), "acme") == SHARE
    assert ShareReference.opened({"reference": f" {sealed}\n", "kind": "share"}, cipher(), "acme") == SHARE
    for value, key in (
        (sealed, cipher("another-Passw0rd")),
        (sealed[:-1], cipher()),
        (SHARE.id, cipher()),
        # What is encrypted with the same key for another purpose.
        (cipher().encrypt('{"kind": "share", "id": "1"}'), cipher()),
        (cipher().encrypt("[]"), cipher()),
    ):
        with pytest.raises(InvalidShareError, match="no reference that connection 'acme' has made") as caught:
            ShareReference.opened(value, key, "acme")
        assert SHARE.id not in str(caught.value)


def test_no_repr_shows_what_opens_a_share() -> None:
    assert "5e0d" not in repr(SHARE)
    assert "5e0d" not in SHARE.seal(cipher())
