"""A guard of login attempts that writes down what it is asked."""

from __future__ import annotations


class NotingGuard:
    """Allows everything.

    :ivar noted: ``try``, ``unsent`` and ``code`` in the order of the questions.
    """

    def __init__(self) -> None:
        self.noted: list[str] = []

    def before_try(self) -> None:
        self.noted.append("try")

    def after_unsent(self) -> None:
        self.noted.append("unsent")

    def before_code(self, totp_step: int) -> None:
        self.noted.append("code")
