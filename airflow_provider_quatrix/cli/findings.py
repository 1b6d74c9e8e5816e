"""Collects the results when the assumptions are tested."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixCaptchaRequired,
    QuatrixError,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixResponseError,
)
from airflow_provider_quatrix.api.retry import is_outage
from airflow_provider_quatrix.cli.assumptions import ASSUMPTIONS, FAILS, HOLDS, NOT_TRIED, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator


class Findings:
    """Collects the results of the assumptions."""

    def __init__(self) -> None:
        self._findings: dict[str, Finding] = {}

    def found(self, name: str, holds: bool, seen: str = "") -> None:
        """Record a result."""
        self._findings[name] = Finding(ASSUMPTIONS[name], HOLDS if holds else FAILS, seen)

    def untried(self, why: str, *names: str) -> None:
        """Record that assumptions were not tried, unless there is a result already."""
        for name in names:
            self._findings.setdefault(name, Finding(ASSUMPTIONS[name], NOT_TRIED, why))

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Turn a failure into a result: not tried if there was no permission or no response, else the assumption fails.

        :raises QuatrixCaptchaRequired: nothing more can be tested.
        """
        try:
            yield
        except QuatrixCaptchaRequired:
            raise
        except (QuatrixPermissionDenied, QuatrixQuotaExceeded) as error:
            self.untried(error_text(error), name)
        except QuatrixError as error:
            if is_outage(error) and not isinstance(error, QuatrixResponseError):
                self.untried(error_text(error), name)
            else:
                self.found(name, holds=False, seen=error_text(error))

    def all(self) -> list[Finding]:
        """Return one finding per assumption, in their order."""
        self.untried("an earlier step failed", *ASSUMPTIONS)
        return [self._findings[name] for name in ASSUMPTIONS]


def error_text(error: QuatrixError) -> str:
    """Return a short text for a failure: for a refusal its status, code and message."""
    return str(error).replace("\n", " ")[:200]
