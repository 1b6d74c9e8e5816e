from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Connection
from dag_runs import AIRFLOW_3

from airflow_provider_quatrix.hooks.connection import ConnectionSettings, InvalidConnectionError

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

# Airflow 2 itself warns of an extra that is no object, and then hands it out all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Encountered (JSON value|non-JSON) in `extra`")

SECRET = "Xk4-very-Secret-92"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def settings(extra: Any = None, **fields: Any) -> ConnectionSettings:
    given = {"host": "acme.quatrix.it", "login": "robot@example.com", "password": SECRET} | fields
    text = extra if extra is None or isinstance(extra, str) else json.dumps(extra)
    connection = Connection(
        conn_id="acme", conn_type="quatrix", **{k: v for k, v in given.items() if v is not None}, extra=text
    )
    return ConnectionSettings.from_connection(connection)


def complaint(extra: Any = None, **fields: Any) -> str:
    with pytest.raises(InvalidConnectionError) as caught:
        settings(extra, **fields)
    text = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert text.startswith("Connection 'acme': ")
    assert SECRET not in text + repr(caught.value)
    # A chained exception would be printed with the secret value in it.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return text


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("acme.quatrix.it", None, "https://acme.quatrix.it"),
        ("  acme.quatrix.it ", None, "https://acme.quatrix.it"),
        ("acme", None, "https://acme.quatrix.it"),
        ("acme", 8443, "https://acme.quatrix.it:8443"),
        ("localhost", 8580, "https://localhost:8580"),
        ("acme.quatrix.it:8443", None, "https://acme.quatrix.it:8443"),
        ("acme.quatrix.it", 8443, "https://acme.quatrix.it:8443"),
        ("https://acme.quatrix.it/", None, "https://acme.quatrix.it"),
        ("https://ACME.quatrix.it/api/1.0", None, "https://acme.quatrix.it"),
        ("https://acme.quatrix.it/api/1.0/", None, "https://acme.quatrix.it"),
        ("http://127.0.0.1:8580", None, "http://127.0.0.1:8580"),
        ("http://127.0.0.1:8580", 9999, "http://127.0.0.1:8580"),
        ("http://emulator", 8580, "http://emulator:8580"),
        ("http://[::1]:8580", None, "http://[::1]:8580"),
        ("[::1]", 8580, "https://[::1]:8580"),
        ("[2001:db8::1]:8443", None, "https://[2001:db8::1]:8443"),
        ("192.168.0.7", None, "https://192.168.0.7"),
    ],
)
def test_the_host_is_a_name_or_a_url(host: str, port: int | None, url: str) -> None:
    assert settings(host=host, port=port).base_url == url


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (None, "host is missing"),
        ("", "host is missing"),
        ("   ", "host is missing"),
        ("ftp://acme.quatrix.it", "scheme 'ftp'"),
        (f"https://robot:{SECRET}@acme.quatrix.it", "contains credentials: put them into login and password"),
        (f"robot:{SECRET}@acme.quatrix.it", "contains credentials"),
        ("robot@acme.quatrix.it", "contains credentials"),
        ("https://acme.quatrix.it/files", "has a path"),
        (f"https://acme.quatrix.it/?token={SECRET}", "has a path"),
        (f"https://acme.quatrix.it/#{SECRET}", "has a path"),
        ("https://", "is not a host or URL"),
        ("acme quatrix it", "is not a host or URL"),
        ("acme.quatrix.it:eighty", "is not a host or URL"),
        ("acme.quatrix.it:99999", "is not a host or URL"),
        ("acme.quatrix.it:0", "is not a host or URL"),
        ("[::1", "is not a host or URL"),
        ("acmé.quatrix.it", "is not a host or URL"),
        ("::1", "is not a host or URL"),
    ],
)
def test_a_bad_host_is_refused(host: str | None, says: str) -> None:
    assert says in complaint(host=host)


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999])
def test_a_bad_port_is_refused(port: int) -> None:
    assert complaint(port=port) == "Connection 'acme': port is not from 1 to 65535: leave it empty for the usual one"


@pytest.mark.parametrize("login", [None, ""])
def test_a_missing_login_names_both_remedies(login: str | None) -> None:
    text = complaint(login=login)
    assert "login is missing: set the e-mail address" in text
    assert "`api_key`" in text


def test_a_login_with_a_colon_is_refused_as_basic_authentication_cannot_carry_it() -> None:
    assert "login contains a colon" in complaint(login="robot:x@example.com")


@pytest.mark.parametrize("password", [None, ""])
def test_a_missing_password_names_both_remedies(password: str | None) -> None:
    text = complaint(password=password)
    assert "password is missing: set it" in text
    assert "`api_key`" in text


def test_an_api_key_needs_neither_login_nor_password() -> None:
    made = settings({"api_key": f" {SECRET} "}, login=None, password=None)
    assert (made.api_key, made.login, made.password) == (SECRET, "", "")


def test_an_api_key_still_needs_a_host() -> None:
    assert "host is missing" in complaint({"api_key": SECRET}, host=None, login=None, password=None)


@pytest.mark.parametrize(
    "extra",
    [None, "", "  ", "{}", "null", '{"totp_secret": null, "pin": "", "verify": "", "proxy": null, "read_timeout": ""}'],
    ids=["none", "empty", "blank", "no members", "null", "empty form"],
)
def test_an_empty_extra_means_the_defaults(extra: str | None) -> None:
    made = settings(extra)
    assert (made.verify, made.connect_timeout, made.read_timeout) == (True, 10.0, 60.0)
    assert (made.captcha_pattern, made.unblock_method) == ("captcha", "POST")
    assert (made.api_key, made.totp_secret, made.pin, made.proxy) == (None, None, None, None)


@pytest.mark.parametrize("blank", [" ", "\t", "\n  "])
def test_blank_members_count_as_absent(blank: str) -> None:
    names = ("api_key", "totp_secret", "pin", "verify", "proxy", "connect_timeout", "read_timeout", "captcha_pattern")
    assert settings(dict.fromkeys((*names, "unblock_method"), blank)) == settings()


def test_a_blank_password_is_none() -> None:
    assert "password is missing: set it" in complaint(password="  ")


def test_the_names_of_the_older_form_are_taken() -> None:
    given = {"verify": "false", "pin": "12345", "read_timeout": 5, "unblock_method": "GET"}
    prefixed = {f"extra__quatrix__{name}": value for name, value in given.items()}
    assert settings(prefixed) == settings(given) == settings(given | prefixed)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("plain", "taken"), [("54321", "54321"), ("", "12345"), (" ", "12345"), (None, "12345")])
def test_the_plain_name_goes_first_unless_it_is_blank(plain: str | None, taken: str, order: int) -> None:
    members = [("pin", plain), ("extra__quatrix__pin", "12345")]
    assert settings(dict(members[::order])).pin == taken
    assert settings({"pin": "12345", "extra__quatrix__pin": " "}).pin == "12345"


def test_a_prefix_makes_no_member_known() -> None:
    assert "unknown members 'apikey'" in complaint({"extra__quatrix__apikey": SECRET})
    assert "unknown members 'extra__sftp__pin'" in complaint({"extra__sftp__pin": SECRET})


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/ca/" + "x" * 5000, "cannot be read (File name too long)"),
        ("/x" * 5000, "cannot be read (File name too long)"),
        ("/ca\0.pem", "contains a character that no path can have"),
        ("/dev/null/ca.pem", "cannot be read (Not a directory)"),
    ],
    ids=["name", "path", "null", "below a file"],
)
def test_a_path_that_is_none_is_told(path: str, says: str) -> None:
    text = complaint({"verify": path})
    assert f"which {says}: give true, false or the path of a CA file" in text
    assert text.startswith("Connection 'acme': extra `verify` names '/")
    assert len(text) < 300


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 itself fails at such an extra")
def test_an_extra_nested_without_end_is_refused() -> None:
    assert "extra is not JSON" in complaint('{"pin":' * 100_000)


@pytest.mark.parametrize("pattern", ["captcha|", ".*", "x?"])
def test_a_pattern_that_matches_any_refusal_is_refused(pattern: str) -> None:
    assert "extra `captcha_pattern` matches any text" in complaint({"captcha_pattern": pattern})


def test_half_of_a_character_is_refused() -> None:
    assert "login contains half of a character" in complaint(login="robot\ud800@example.com")
    assert "extra `pin` contains half of a character" in complaint({"pin": "1234\ud800"})


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 itself cannot encrypt such a password")
def test_half_of_a_character_in_the_password_is_refused() -> None:
    assert "password contains half of a character" in complaint(password="pass\ud800word")


@pytest.mark.parametrize("extra", ["{", f"password={SECRET}", "{'pin': '12345'}"])
def test_an_extra_that_is_no_json_is_refused(extra: str) -> None:
    assert complaint(extra).startswith("Connection 'acme': extra is not JSON: write an object such as")


@pytest.mark.parametrize("extra", ["[]", "7", f'"{SECRET}"', "true", "[[1, 2]]"])
def test_an_extra_that_is_no_object_is_refused(extra: str) -> None:
    assert complaint(extra).startswith("Connection 'acme': extra is not a JSON object: write one such as")


def test_unknown_members_are_named_with_the_known_ones() -> None:
    text = complaint({"apikey": SECRET, "X-Header": SECRET, "pin": "12345"})
    assert "extra has unknown members 'X-Header', 'apikey': known are api_key, captcha_pattern" in text


@pytest.mark.parametrize(
    ("member", "value", "taken"),
    [
        ("totp_secret", TOTP, TOTP),
        ("totp_secret", "jbsw y3dp ehpk 3pxp", "jbsw y3dp ehpk 3pxp"),
        ("pin", "01234", "01234"),
        ("pin", 12345, "12345"),
        ("verify", True, True),
        ("verify", False, False),
        ("verify", "True", True),
        ("verify", " false ", False),
        ("proxy", "http://proxy.example:3128", "http://proxy.example:3128"),
        ("proxy", f"socks5h://me:{SECRET}@proxy.example", f"socks5h://me:{SECRET}@proxy.example"),
        ("connect_timeout", 2, 2.0),
        ("connect_timeout", "2.5", 2.5),
        ("read_timeout", 3600, 3600.0),
        ("captcha_pattern", "captcha|robot", "captcha|robot"),
        ("unblock_method", "get", "GET"),
        ("unblock_method", "POST", "POST"),
    ],
)
def test_good_values_are_taken(member: str, value: Any, taken: Any) -> None:
    assert getattr(settings({member: value}), member) == taken


def test_verify_takes_a_file_of_certificates(quatrix_emulator_tls: EmulatorClient) -> None:
    assert settings({"verify": quatrix_emulator_tls.ca_file}).verify == quatrix_emulator_tls.ca_file


def test_verify_takes_a_folder_of_certificates(tmp_path: Path) -> None:
    assert settings({"verify": str(tmp_path)}).verify == str(tmp_path)


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_verify_refuses_a_file_without_certificates(content: str, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(content)
    says = f"extra `verify` names {str(ca_file)!r}, which contains no readable certificate in PEM form"
    assert says in complaint({"verify": str(ca_file)})


def test_blanks_around_the_login_are_dropped() -> None:
    assert settings(login=" robot@example.com ").login == "robot@example.com"
    assert "login is missing" in complaint(login="  ")


@pytest.mark.parametrize(
    ("member", "value", "says"),
    [
        ("api_key", 17, "extra `api_key` is not text: put the value in quotes"),
        ("api_key", "two words", "extra `api_key` contains blanks or characters that no key has: copy it again"),
        (
            "api_key",
            "key\nX-Auth-Token: 1",
            "extra `api_key` contains blanks or characters that no key has: copy it again",
        ),
        ("totp_secret", "not-base-32!", "extra `totp_secret` is not base32"),
        ("totp_secret", "0189", "extra `totp_secret` is not base32"),
        ("totp_secret", "====", "extra `totp_secret` is empty"),
        ("totp_secret", 123456, "extra `totp_secret` is not text"),
        ("pin", True, "extra `pin` is not text"),
        ("pin", [1], "extra `pin` is not text"),
        ("verify", "/no/such/file.pem", "extra `verify` names '/no/such/file.pem', which does not exist here"),
        ("verify", 1, "extra `verify` is not text"),
        ("verify", "yes", "extra `verify` names 'yes', which does not exist here: give true, false or"),
        ("proxy", "proxy.example:3128", "extra `proxy` is not a proxy's URL"),
        ("proxy", f"ftp://me:{SECRET}@proxy.example", "extra `proxy` is not a proxy's URL"),
        ("proxy", "http://", "extra `proxy` is not a proxy's URL"),
        ("proxy", "http://proxy:99999", "extra `proxy` is not a proxy's URL"),
        ("proxy", False, "extra `proxy` is not text"),
        ("connect_timeout", 0, "extra `connect_timeout` must be more than 0"),
        ("connect_timeout", -1, "extra `connect_timeout` must be more than 0"),
        ("connect_timeout", "soon", "extra `connect_timeout` is not a number of seconds"),
        ("connect_timeout", [], "extra `connect_timeout` is not a number of seconds"),
        ("connect_timeout", True, "extra `connect_timeout` is not a number of seconds"),
        ("read_timeout", 86_400, "extra `read_timeout` must be more than 0 and less than 86400 seconds"),
        ("read_timeout", "nan", "extra `read_timeout` must be more than 0"),
        ("read_timeout", "inf", "extra `read_timeout` must be more than 0"),
        ("captcha_pattern", "(", "extra `captcha_pattern` is not a regular expression"),
        ("captcha_pattern", 7, "extra `captcha_pattern` is not text"),
        ("unblock_method", "PUT", "extra `unblock_method` is 'PUT': give POST or GET"),
        ("unblock_method", 1, "extra `unblock_method` is not text"),
    ],
)
def test_bad_values_are_refused(member: str, value: Any, says: str) -> None:
    assert says in complaint({member: value})


@pytest.mark.parametrize("member", ["api_key", "totp_secret", "pin", "proxy", "unblock_method"])
def test_a_secret_in_the_wrong_place_is_not_repeated(member: str) -> None:
    # Whoever pastes a password into the wrong field must not find it in a log.
    value = {"api_key": f"{SECRET} x", "pin": [SECRET], "unblock_method": f"{SECRET}"}.get(member, f"!{SECRET}")
    complaint({member: value})


def test_what_a_connection_holds_is_not_shown() -> None:
    proxy = f"http://me:{SECRET}@proxy.example"
    made = settings({"api_key": SECRET, "totp_secret": TOTP, "pin": "98765", "proxy": proxy})
    assert not [secret for secret in (SECRET, TOTP, "98765", "robot@") if secret in repr(made)]


@pytest.mark.parametrize(
    "text",
    [
        "quatrix://robot%40example.com:p%40ss@acme.quatrix.it?read_timeout=5&unblock_method=GET&verify=false",
        json.dumps(
            {
                "conn_type": "quatrix",
                "host": "acme.quatrix.it",
                "login": "robot@example.com",
                "password": "p@ss",
                "extra": {"read_timeout": 5, "unblock_method": "GET", "verify": False},
            }
        ),
    ],
    ids=["URI", "JSON"],
)
def test_both_forms_of_the_environment_variable_work(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    monkeypatch.setenv("AIRFLOW_CONN_ACME", text)
    made = QuatrixHook("acme").settings
    assert (made.conn_id, made.base_url) == ("acme", "https://acme.quatrix.it")
    assert (made.login, made.password) == ("robot@example.com", "p@ss")
    assert (made.read_timeout, made.unblock_method, made.verify) == (5.0, "GET", False)


def test_a_uri_with_a_scheme_in_the_host_works(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    monkeypatch.setenv("AIRFLOW_CONN_ACME", "quatrix://robot%40example.com:p@http%3A%2F%2F127.0.0.1%3A8580")
    assert QuatrixHook("acme").settings.base_url == "http://127.0.0.1:8580"


@pytest.mark.parametrize("password", ["12/tail", "12#tail", "12?tail", "a@head/tail", "12@head/tail", "a@head?tail"])
def test_a_uri_whose_password_ends_early_tells_no_part_of_it(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    monkeypatch.setenv("AIRFLOW_CONN_ACME", f"quatrix://robot%40example.com:{password}@acme.quatrix.it")
    with pytest.raises(InvalidConnectionError, match="URI has a password that ends early: write @ as %40") as caught:
        _ = QuatrixHook("acme").settings
    assert "tail" not in str(caught.value)
    assert "head" not in str(caught.value)
