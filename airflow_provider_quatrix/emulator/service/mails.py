"""The e-mails that the service would have sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .context import Context

MailKind = Literal["share", "request", "reply", "downloaded"]


@dataclass(frozen=True)
class Mail:
    """An e-mail.

    :param kind: ``share`` or ``request`` to a recipient, ``reply`` or ``downloaded`` to the sender of a share.
    :param to: the address.
    :param sender: address of who sends it.
    """

    kind: MailKind
    to: str
    sender: str
    share_id: str
    subject: str
    message: str


class Mails:
    """E-mails, which go nowhere and are kept for tests and the page."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sent: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forget all e-mails."""
        self._sent.clear()

    def send(self, mail: Mail) -> None:
        """Send an e-mail."""
        self._context.counters.mails += 1
        self._sent.append({**asdict(mail), "time": self._context.now})

    def as_list(self) -> list[dict[str, Any]]:
        """The e-mails, oldest first."""
        return list(self._sent)
