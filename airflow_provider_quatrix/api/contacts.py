"""The calls of the API for contacts: people outside who can get shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.messages import Repeat
from airflow_provider_quatrix.api.share_models import Recipient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_quatrix.api.caller import ApiCaller


class ContactsApi:
    """Contact calls on behalf of one user.

    :param caller: sends the requests.
    """

    def __init__(self, caller: ApiCaller) -> None:
        self._caller = caller

    def all(self) -> tuple[Recipient, ...]:
        """Return the user's contacts and those of the whole account, by ``GET contact``."""
        entries = self._caller.entries(self._caller.call("GET", "contact"))
        return tuple(Recipient.from_response(entry) for entry in entries if isinstance(entry, dict))

    def create(self, email: str, name: str, *, personal: bool = True) -> Recipient:
        """Make a contact, by ``POST contact/create``.

        :param name: 3 to 511 characters, which suits all descriptions of the call.
        :param personal: the user's own; else the whole account's.
        :raises QuatrixConflict: the address is taken.
        """
        body = {"email": email, "name": name, "personal": personal}
        response = self._caller.call("POST", "contact/create", json=body, repeat=Repeat.REFUSED)
        made = Recipient.from_response(self._caller.members(response))
        if not made.id:
            raise self._caller.malformed(response, "a contact without an id")
        return made

    def delete(self, ids: Sequence[str]) -> None:
        """Delete contacts, by ``POST contact/delete``."""
        self._caller.call("POST", "contact/delete", json={"ids": list(ids)})
