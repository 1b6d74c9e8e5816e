"""Adds to failures what was being done, and to which file, as a response of the service says neither."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixError,
    QuatrixLoginBudgetExhausted,
    QuatrixMfaRequired,
)
from airflow_provider_quatrix.api.paths import all_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# These concern the account, whatever was being done.
OF_THE_ACCOUNT = (
    QuatrixAuthenticationError,
    QuatrixMfaRequired,
    QuatrixCaptchaRequired,
    QuatrixLoginBudgetExhausted,
)


# A person does not read more of one failure.
_LONGEST_TOLD = 300


class FilesFailedError(QuatrixError):
    """Some of the files of a call failed; all the others were worked on.

    :param failures: path and failure of each.
    :param total: how many files there were.
    """

    def __init__(self, failures: Sequence[tuple[str, Exception]], total: int) -> None:
        self.failures = tuple(failures)
        shown = [f"{path!r}: {_shortened(described(error))}" for path, error in self.failures]
        super().__init__(f"{len(shown)} of {total} files failed: {all_of(shown)}")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..."


@contextmanager
def doing(action: str, path: str, *, to: str | None = None, remote: str | None = None) -> Iterator[None]:
    """Add to a failure what was being done, unless an inner call has added it.

    :param action: such as ``Moving``.
    :param path: of the object.
    :param to: its target.
    :param remote: which of the paths is on Quatrix, if only one is; default: all are.
    """
    try:
        yield
    except (QuatrixError, OSError) as error:
        if not isinstance(error, OF_THE_ACCOUNT):
            _name(error, action, path, to, remote)
        raise


def _name(error: Exception, action: str, path: str, to: str | None, remote: str | None) -> None:
    named = getattr(error, "__notes__", ()) or path in str(error) or (to is not None and to in str(error))
    if not named:
        error.add_note(f"{action} {path!r}" if to is None else f"{action} {path!r} to {to!r}")
    if isinstance(error, QuatrixApiError) and isinstance(error, OSError) and error.filename is None:
        error.filename = remote or path
        error.filename2 = None if remote else to


def described(error: Exception) -> str:
    """Return a failure as one line: what was being done, and what went wrong."""
    return ": ".join((*getattr(error, "__notes__", ()), str(error)))
