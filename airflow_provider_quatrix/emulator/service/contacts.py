"""Contacts, and who can receive a share."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .accounts import stable_id
from .errors import CONTACT_EXISTS, RESTRICTED, ApiError, bad_parameter, missing_parameter, not_found
from .parties import Party, party_of
from .texts import checked_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .accounts import Accounts, User
    from .context import Context

EMAIL_LENGTHS = (6, 254)
NAME_LENGTHS = (1, 511)


@dataclass(frozen=True)
class ContactSpec:
    """A contact as a call describes it.

    :param personal: whether only its owner sees it.
    :param groups: ids of groups.
    """

    email: str
    name: str = ""
    personal: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contact:
    """A contact.

    :param owner: key of the user who made it.
    :param fixed: whether nobody can change it, as it is a user who has no account of their own.
    """

    id: str
    spec: ContactSpec
    owner: str
    owner_id: str
    created: float
    fixed: bool = field(default=False)

    @property
    def key(self) -> str:
        """The e-mail in lower case."""
        return self.spec.email.casefold()

    @property
    def party(self) -> Party:
        """The contact as a recipient."""
        return Party(self.id, self.spec.email, self.spec.name or self.spec.email.partition("@")[0])

    def is_readonly(self, user: User) -> bool:
        """Whether a user may not change it."""
        return self.fixed or self.owner != user.spec.key


class Contacts:
    """The contacts of the account: site contacts for all, personal ones for their owner."""

    def __init__(self, context: Context, accounts: Accounts) -> None:
        self._context = context
        self._accounts = accounts
        self._by_id: dict[str, Contact] = {}

    def clear(self) -> None:
        """Forget all contacts."""
        self._by_id.clear()

    def visible(self, user: User) -> list[Contact]:
        """List what a user sees: site contacts, the user's own, and users who have no account of their own."""
        shown = [
            contact for contact in self._by_id.values() if not contact.spec.personal or not contact.is_readonly(user)
        ]
        known = {contact.key for contact in shown}
        for other in self._accounts.users:
            if other.spec.is_contact and other.spec.key not in known:
                spec = ContactSpec(other.spec.email, other.name)
                shown.append(Contact(other.id, spec, other.spec.key, other.id, other.created, fixed=True))
        return shown

    def get(self, user: User, contact_id: str) -> Contact:
        """Find a contact that a user sees.

        :raises ApiError: 404 when there is none.
        """
        for contact in self.visible(user):
            if contact.id == contact_id:
                return contact
        raise not_found("contact")

    def create(self, user: User, wanted: ContactSpec) -> Contact:
        """Make a contact.

        :raises ApiError: 400 when it is not allowed, or its address is taken.
        """
        self._check(user, wanted, None)
        contact = Contact(str(uuid.uuid4()), wanted, user.spec.key, user.id, self._context.now)
        self._by_id[contact.id] = contact
        return contact

    def edit(self, user: User, contact: Contact, wanted: ContactSpec) -> Contact:
        """Change a contact; it keeps its id.

        :raises ApiError: when it is not the user's, or for what is wrong with the description.
        """
        self._check_own(user, contact)
        self._check(user, wanted, contact)
        changed = self._by_id[contact.id] = replace(contact, spec=wanted)
        return changed

    def delete(self, user: User, ids: Iterable[str]) -> list[str]:
        """Delete contacts; unknown ids are left out.

        :return: the ids of what was deleted.
        :raises ApiError: 404 when none is known, 403 when one is not the user's; then nothing has changed.
        """
        visible = {contact.id: contact for contact in self.visible(user)}
        known = [visible[contact_id] for contact_id in dict.fromkeys(ids) if contact_id in visible]
        if not known:
            raise not_found("contact")
        for contact in known:
            self._check_own(user, contact)
        for contact in known:
            del self._by_id[contact.id]
        return [contact.id for contact in known]

    def groups(self) -> list[dict[str, Any]]:
        """List the groups that contacts can be in."""
        return [
            {"id": stable_id("contact-group", name), "name": name, "global": True, "readonly": True}
            for name in self._context.settings.contact_groups
        ]

    def recipients(self, user: User, beginning: str = "") -> list[Party]:
        """List who can receive a share of a user: the users of the account and the contacts that the user sees.

        :param beginning: of the e-mail, in any case.
        :return: one for each address, sorted by it.
        """
        people = [party_of(other) for other in self._accounts.users if not other.spec.is_contact]
        people += [contact.party for contact in self.visible(user)]
        by_address = {party.key: party for party in reversed(people) if party.key.startswith(beginning.casefold())}
        return sorted(by_address.values(), key=attrgetter("key"))

    def recipient(self, user: User, party_id: str) -> Party:
        """Find a recipient by the id of a user or a contact.

        :raises ApiError: 404 when there is none.
        """
        other = next((other for other in self._accounts.users if other.id == party_id), None)
        return self.get(user, party_id).party if other is None else party_of(other)

    def _check_own(self, user: User, contact: Contact) -> None:
        if contact.is_readonly(user):
            raise ApiError(self._context.settings.permission_status, RESTRICTED, "No permission")

    def _check(self, user: User, wanted: ContactSpec, old: Contact | None) -> None:
        checked_text("email", wanted.email, *EMAIL_LENGTHS)
        local, at, domain = wanted.email.rpartition("@")
        if not (local and at and domain) or any(char.isspace() for char in wanted.email):
            raise bad_parameter("email", "is not an e-mail address")
        if not wanted.name and not self._context.settings.contact_name_optional:
            raise missing_parameter("name")
        if wanted.name:
            checked_text("name", wanted.name, *NAME_LENGTHS)
        groups = {group["id"] for group in self.groups()}
        if not groups.issuperset(wanted.groups):
            raise bad_parameter("groups", "names an unknown group")
        key = wanted.email.casefold()
        taken = {contact.key for contact in self.visible(user) if old is None or contact.id != old.id}
        # A contact may have become a user since. Such a user must not count as taking the contact's address.
        if key in taken or (self._accounts.find(key) is not None and (old is None or key != old.key)):
            raise ApiError(400, CONTACT_EXISTS, "Email is already taken")
