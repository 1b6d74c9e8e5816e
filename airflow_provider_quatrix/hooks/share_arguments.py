"""Checks of arguments for shares and requests for files; light enough for DAGs that are being parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_quatrix.transfer.options import checked_flag

LONGEST_SUBJECT = 500
LONGEST_MESSAGE = 10_000
# Characters of an e-mail address.
_SHORTEST_EMAIL, _LONGEST_EMAIL = 6, 254
_EMAIL = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+")
_SEPARATORS = re.compile(r"[,;\s]+")
SHARE_TYPES = ("tracked", "restricted", "public")
ALL = "all"


class InvalidShareError(ValueError):
    """An argument for a share is invalid; nothing was sent for it."""


def checked_emails(value: Any, name: str = "recipients") -> tuple[str, ...]:
    """Check e-mail addresses.

    :param value: one, or several; a text may contain several, separated by commas.
    :param name: the argument's name, for errors.
    :return: each once, in lower case.
    :raises InvalidShareError: one is not an address.
    """
    found: dict[str, None] = {}
    for each in _addresses(value, name):
        if not _EMAIL.fullmatch(each) or not _SHORTEST_EMAIL <= len(each) <= _LONGEST_EMAIL:
            raise InvalidShareError(f"{name} has {each!r}: give e-mail addresses, such as 'partner@example.com'")
        found[each.lower()] = None
    return tuple(found)


def _addresses(value: Any, name: str) -> Iterable[str]:
    if value is None:
        return
    if isinstance(value, str):
        # A list that a template has turned into text has brackets and quotes.
        yield from filter(None, (each.strip("[]()'\"") for each in _SEPARATORS.split(value)))
        return
    if isinstance(value, Mapping | bytes) or not isinstance(value, Iterable):
        raise InvalidShareError(f"{name} is {value!r}: give e-mail addresses, such as 'partner@example.com'")
    for each in value:
        if not isinstance(each, str):
            raise InvalidShareError(f"{name} has {each!r}: give e-mail addresses as text")
        yield each.strip()


def checked_text(name: str, value: Any, longest: int) -> str:
    """Check a text that people will see.

    :param longest: how many characters the service accepts.
    :raises InvalidShareError: it is not a text, or too long.
    """
    if not isinstance(value, str):
        raise InvalidShareError(f"{name} is {value!r}: give a text")
    if len(value) > longest:
        raise InvalidShareError(f"{name} has {len(value):,} characters, and Quatrix takes {longest:,}: shorten it")
    return value


def checked_pin(value: Any) -> str | None:
    """Check a PIN. No error shows it.

    :param value: a text, or digits as a number; ``None`` for no PIN.
    :raises InvalidShareError: it is empty, or not a text that can be sent.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidShareError(f"pin is of type {type(value).__name__}: give a text, or leave it out")
    pin = str(value).strip()
    if not pin:
        raise InvalidShareError("pin is empty: give a text, or leave it out for a share without a PIN")
    try:
        pin.encode()
    except UnicodeEncodeError:
        raise InvalidShareError("pin is not valid Unicode, and so cannot be sent: give another") from None
    return pin


def checked_share_type(value: Any) -> str:
    """Check who may open a share.

    :raises InvalidShareError: there is no such type.
    """
    if value not in SHARE_TYPES:
        raise InvalidShareError(f"share_type is {value!r}: give one of {', '.join(map(repr, SHARE_TYPES))}")
    return str(value)


def checked_moment(name: str, value: Any) -> datetime | timedelta | None:
    """Check when something begins or ends, as far as that is possible in advance.

    :param value: a datetime with a time zone, ISO 8601 text, or a timedelta from now; ``None`` for no such time.
    :raises InvalidShareError: it is none of these.
    """
    if value is None or value in ("", "None"):
        return None
    if isinstance(value, timedelta):
        if value <= timedelta(0):
            raise InvalidShareError(f"{name} is {value}, in the past: give a timedelta of more than 0, from now on")
        return value
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise InvalidShareError(
            f"{name} is {value!r}: give a datetime, text in ISO 8601 such as 2026-07-01T00:00:00Z, or a timedelta from "
            "now on"
        ) from None
    if moment.tzinfo is None:
        raise InvalidShareError(f"{name} is {value!r}, without a time zone: add one, such as 2026-07-01T00:00:00Z")
    return moment


def checked_period(activates: Any, expires: Any, now: datetime) -> tuple[int | None, int | None]:
    """Check when a share begins and ends.

    :param activates: as in :func:`checked_moment`; ``None`` for at once.
    :param expires: in the same forms; ``None`` for never.
    :param now: the present, with a time zone.
    :return: both as Unix time.
    :raises InvalidShareError: it would end in the past, or before it begins.
    """
    begin, end = (
        now + moment if isinstance(moment, timedelta) else moment
        for moment in (checked_moment("activates", activates), checked_moment("expires", expires))
    )
    if end is not None and end <= now:
        raise InvalidShareError(f"expires is {_as_text(end)}, in the past: give a later moment")
    if begin is not None and end is not None and end <= begin:
        raise InvalidShareError(
            f"expires is {_as_text(end)}, not after activates, which is {_as_text(begin)}: let it end after it begins"
        )
    return (None if begin is None else int(begin.timestamp())), (None if end is None else int(end.timestamp()))


def _as_text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def iso_time(moment: float | None) -> str | None:
    """Return a Unix time as ISO 8601 in UTC, ``None`` for none."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()


def checked_number_of_recipients(value: Any) -> int | str:
    """Check how many recipients have to download a share.

    :param value: a number, or ``all``.
    :raises InvalidShareError: it is neither.
    """
    if value == ALL or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value  # type: ignore[no-any-return]  # a text or a number
    raise InvalidShareError(f"recipients is {value!r}: give 'all', or a number of recipients, 1 or more")


def check_quicklink(quicklink: bool, recipients: tuple[str, ...], **further: Any) -> None:
    """Check that the arguments of a share fit together.

    :param quicklink: whether it is a link without recipients.
    :param recipients: of the share.
    :param further: arguments that were given and that a quicklink does not have.
    :raises InvalidShareError: they do not.
    """
    if not checked_flag("quicklink", quicklink):
        if not recipients:
            raise InvalidShareError(
                "recipients is empty: give e-mail addresses, or set quicklink=True for a link without recipients"
            )
        return
    if recipients:
        raise InvalidShareError("recipients and quicklink are both given: a quicklink has no recipients, leave one out")
    for name, value in further.items():
        if value:
            raise InvalidShareError(
                f"{name} is given, and quicklink is True: a quicklink has none; leave it out, or share with recipients"
            )


def check_request_recipients(recipients: tuple[str, ...]) -> None:
    """Check that a request for files has recipients.

    :raises InvalidShareError: it has none.
    """
    if not recipients:
        raise InvalidShareError("recipients is empty: give the e-mail addresses of those who are to send files")


def reference_of(value: Any) -> str:
    """Return the reference in a text or an earlier result.

    :raises InvalidShareError: it contains none.
    """
    found = value.get("reference") if isinstance(value, Mapping) else value
    if not isinstance(found, str) or not found.strip():
        kind = "empty" if value in (None, "") else f"of type {type(value).__name__}, without a reference"
        raise InvalidShareError(f"share is {kind}: give the result of the task that has shared")
    return found.strip()
