"""Counters for tests: requests, logins and how they ended."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

RECENT_CALLS = 200
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass
class Counters:
    """Numbers since the last reset.

    :param logins: login attempts, also those that were refused or had a fault.
    :param rejected_logins: logins answered as a wrong e-mail or password.
    :param limited_logins: logins refused for their number.
    :param captcha_logins: logins refused because of a CAPTCHA block.
    :param captcha_refusals: other calls refused because of a CAPTCHA block.
    :param captcha_blocks: blocks that began.
    :param captcha_passed: blocks lifted by ``session/unblock-captcha``.
    :param captcha_rejected: CAPTCHA tokens that were refused.
    :param second_factor_asked: logins answered 207.
    :param codes_received: TOTP codes and PINs received.
    :param wrong_codes: of these, the refused ones.
    :param totp_replays: TOTP codes that had been received from the same user before.
    :param sessions_opened: sessions that became usable.
    :param sessions_expired: sessions that ended by time.
    :param logouts: sessions that ended by logout.
    :param unauthorized: calls refused for a missing, unknown or expired session or key.
    :param upload_bytes: bytes of file content received, including cut and repeated chunks.
    :param download_bytes: bytes of file content sent.
    :param shares: shares, quicklinks and file requests that were made.
    :param share_downloads: shared files that were downloaded, each time counted.
    :param mails: e-mails that would have been sent.
    :param faults: injected faults that occurred.
    :param requests: all requests except those to the control calls and the page.
    :param by_call: requests per method and path, ids replaced by their parameter's name.
    """

    logins: int = 0
    rejected_logins: int = 0
    limited_logins: int = 0
    captcha_logins: int = 0
    captcha_refusals: int = 0
    captcha_blocks: int = 0
    captcha_passed: int = 0
    captcha_rejected: int = 0
    second_factor_asked: int = 0
    codes_received: int = 0
    wrong_codes: int = 0
    totp_replays: int = 0
    sessions_opened: int = 0
    sessions_expired: int = 0
    logouts: int = 0
    unauthorized: int = 0
    upload_bytes: int = 0
    download_bytes: int = 0
    shares: int = 0
    share_downloads: int = 0
    mails: int = 0
    faults: int = 0
    requests: int = 0
    by_call: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """The counters by name, as JSON."""
        return {**asdict(self), "by_call": dict(self.by_call)}


class RecentCalls:
    """The last calls, newest first."""

    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=RECENT_CALLS)

    def add(self, call: dict[str, Any]) -> None:
        """Record a call."""
        self._calls.appendleft(call)

    def as_list(self) -> list[dict[str, Any]]:
        """The calls, newest first."""
        return list(self._calls)


def method_name(method: str) -> str:
    """The name under which a method is counted. Unknown ones share a name, so that the counters stay small.

    :return: the method, or ``OTHER``.
    """
    return method if method in _METHODS else "OTHER"
