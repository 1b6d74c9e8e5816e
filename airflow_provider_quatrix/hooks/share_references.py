"""References of shares: encrypted texts that only the connection that has made the share can read.

The link of a share contains its id, so whoever has the id can open the share.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_quatrix.hooks.share_arguments import InvalidShareError, reference_of

if TYPE_CHECKING:
    from airflow_provider_quatrix.sessions.cipher import RecordCipher

# Distinguishes these texts from everything else that is encrypted with the connection's key.
_PURPOSE = "share reference 1"


class ShareKind(StrEnum):
    """What a reference stands for."""

    SHARE = "share"
    QUICKLINK = "quicklink"
    REQUEST = "request"


@dataclass(frozen=True)
class ShareReference:
    """A share, quicklink or request for files, with what is needed to poll and to end it.

    :param id: part of the link.
    :param link: the page that it leads to; empty if the service did not return it.
    :param recipients: e-mail addresses, in lower case.
    :param named: downloads are known by recipient; otherwise only by IP address.
    :param expires: Unix time; ``None`` for never.
    """

    kind: ShareKind
    id: str = field(repr=False)
    link: str = field(default="", repr=False)
    recipients: tuple[str, ...] = ()
    named: bool = True
    expires: float | None = None

    def seal(self, cipher: RecordCipher) -> str:
        """Return the reference as encrypted text."""
        return cipher.encrypt(json.dumps({"purpose": _PURPOSE, **asdict(self)}))

    @classmethod
    def opened(cls, value: Any, cipher: RecordCipher, conn_id: str) -> Self:
        """Read the text that :meth:`seal` has made.

        :param value: the text, or an earlier result with it.
        :param cipher: of the connection.
        :param conn_id: the connection, for errors.
        :raises InvalidShareError: it is something else, or of another connection.
        """
        plain = cipher.decrypt(reference_of(value))
        try:
            members = json.loads(plain or "")
            if members.pop("purpose") != _PURPOSE:
                raise ValueError  # noqa: TRY301 - as if it could not be read
            return cls(
                **members | {"kind": ShareKind(members["kind"]), "recipients": tuple(members["recipients"])},
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvalidShareError(
                f"share is no reference that connection {conn_id!r} has made: give the result of the task that has "
                "shared, with the same connection. A change of its host, login, password or API key voids earlier ones"
            ) from None
