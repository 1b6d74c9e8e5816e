"""Reads the content of a folder. A bad entry is left out and does not affect the others."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import malformed
from airflow_provider_quatrix.api.models import RemoteFile
from airflow_provider_quatrix.api.paths import in_short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_quatrix.api.messages import Response

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    """The content of a folder at one time.

    :param entries: direct children that can be used.
    :param now: the server's time, Unix time; this host's own if the response does not contain it.
    :param unusable: the other children, with what is wrong with them.
    """

    folder: RemoteFile
    entries: tuple[RemoteFile, ...]
    now: float
    unusable: tuple[RemoteFile, ...] = ()


def read_listing(response: Response, members: Mapping[str, Any], redact: Callable[[str], str]) -> Listing:
    """Read the metadata of a folder with its content, and log what is invalid.

    :raises QuatrixResponseError: the content is not a list, or is missing from a folder that is not empty.
    """
    content = members.get("content")
    if content is not None and not isinstance(content, list):
        raise malformed(response, "a folder whose content is not a list", redact)
    folder = RemoteFile.from_response(members)
    if content is None and folder.size:
        raise malformed(response, f"a folder of {folder.size} entries without its content", redact)
    children = [RemoteFile.from_entry(entry) for entry in content or ()]
    for child in children:
        if child.problem:
            log.warning("An entry of the folder %s is left out: %s", in_short(folder.name), child.described)
        elif child.odd_time:
            log.warning(
                "%s in the folder %s has no valid modification time (%s): it counts as 1970-01-01",
                in_short(child.name),
                in_short(folder.name),
                child.odd_time,
            )
    return Listing(
        folder,
        tuple(child for child in children if not child.problem),
        response.date() or time.time(),
        tuple(child for child in children if child.problem),
    )
