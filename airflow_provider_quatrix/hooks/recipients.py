"""Finds the users and contacts by the e-mail addresses that a task gives."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixPermissionDenied
from airflow_provider_quatrix.api.paths import all_of
from airflow_provider_quatrix.hooks.share_arguments import InvalidShareError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_quatrix.api.client import QuatrixClient

log = logging.getLogger(__name__)


def recipient_ids(client: QuatrixClient, emails: Sequence[str], *, create: bool) -> tuple[str, ...]:
    """Return the ids of users and contacts.

    :param emails: in lower case.
    :param create: make contacts of unknown ones.
    :raises InvalidShareError: some are unknown; nothing was made.
    """
    ids = {email: _found(client, email) for email in emails}
    if not all(ids.values()):
        contacts = _contacts(client)
        ids = {email: known or contacts.get(email, "") for email, known in ids.items()}
    unknown = [email for email, known in ids.items() if not known]
    if unknown and not create:
        raise InvalidShareError(
            f"recipients: Quatrix knows no user or contact with the address {all_of(unknown)}: correct it, or set "
            "create_contacts=True"
        )
    return tuple(ids[email] or _made(client, email) for email in emails)


def _found(client: QuatrixClient, email: str) -> str:
    # The service finds all addresses that begin with this one.
    return next((each.id for each in client.shares.recipients(email) if each.email.lower() == email), "")


def _contacts(client: QuatrixClient) -> dict[str, str]:
    try:
        return {each.email.lower(): each.id for each in client.contacts.all()}
    except QuatrixPermissionDenied:
        return {}


def _made(client: QuatrixClient, email: str) -> str:
    try:
        made = client.contacts.create(email, email).id
    except QuatrixConflict:
        # Another task has made it in the meantime.
        found = _found(client, email)
        if not found:
            raise
        return found
    log.info("Made the contact %s", email)
    return made
