"""Places of a transfer: on Quatrix, or in any store that Airflow's object storage supports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_quatrix.api.paths import InvalidPathError

QUATRIX = "quatrix"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_ALMOST_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+|[A-Z]):/?(?:[^/].*)?", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """A path, and where it is.

    :param scheme: ``quatrix``, or the scheme of a store.
    :param conn_id: the connection in its URL.
    :param path: the rest of the URL; on Quatrix the path from the home folder.
    """

    scheme: str
    conn_id: str | None
    path: str

    @classmethod
    def of(cls, text: str, name: str) -> Place:
        """Parse a URL such as ``s3://conn_id@bucket/key``; a path without a scheme is on Quatrix.

        :param text: URL or path.
        :param name: the argument's name, for errors.
        :raises InvalidPathError: it is not a place.
        """
        url = _URL.fullmatch(text)
        if url is None:
            if _ALMOST_URL.fullmatch(text):
                raise InvalidPathError(
                    f"{name} is {text!r}: give a URL with two slashes, such as s3://bucket/key or file:///folder/file"
                )
            return cls(QUATRIX, None, text)
        scheme, rest = url[1].lower(), url[2]
        host, slash, path = rest.partition("/")
        conn_id, _, host = host.rpartition("@")
        if scheme in (QUATRIX, "file") and host:
            three = f"write three slashes, {scheme}:///{host}{slash}{path}"
            if scheme == QUATRIX and not conn_id:
                three = f"did you mean {scheme}://{host}@/{path}? For a folder of that name {three}"
            raise InvalidPathError(f"{name} is {text!r}: {three}")
        place = cls(scheme, conn_id or None, host + slash + path)
        if not place.path or (scheme == "file" and place.path == "/"):
            raise InvalidPathError(f"{name} is {text!r}: give the path of a file or folder in it")
        return place

    @property
    def is_on_quatrix(self) -> bool:
        """Whether it is on Quatrix."""
        return self.scheme == QUATRIX

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder by its text: it ends in a slash, or is only a bucket or host."""
        return self.path.endswith("/") or (not self.is_on_quatrix and "/" not in self.path)

    @property
    def store(self) -> tuple[str, str | None]:
        """Identifies the store."""
        return self.scheme, self.conn_id

    def url(self, path: str) -> str:
        """Return the URL of a path in the same store; on Quatrix the path itself.

        :param path: in the form of the store.
        """
        if self.is_on_quatrix:
            return path
        return f"{self.scheme}://{f'{self.conn_id}@' if self.conn_id else ''}{path}"


def check_ends(sources: list[Place], target: Place) -> None:
    """Check that a transfer is possible.

    :raises InvalidPathError: neither end is on Quatrix, or the sources are in several stores.
    """
    stores = {place.store for place in sources}
    if len(stores) > 1:
        names = ", ".join(sorted(f"{scheme}://{f'{conn}@' if conn else ''}" for scheme, conn in stores))
        raise InvalidPathError(f"source names {len(stores)} stores ({names}): give each a task of its own")
    if sources and not sources[0].is_on_quatrix and not target.is_on_quatrix:
        raise InvalidPathError(
            f"Neither source ({sources[0].scheme}://) nor target ({target.scheme}://) is on Quatrix: give one as "
            "quatrix:///folder/file, or use FileTransferOperator between other stores"
        )


def as_texts(value: Any, *, literal: bool) -> Any:
    """Return an argument with texts instead of the paths of Airflow's object storage.

    :param literal: turn them into mappings, which are names; otherwise into text, which may be a pattern.
    """
    if isinstance(value, list | tuple | set | frozenset):
        return [as_texts(each, literal=literal) for each in value]
    if not isinstance(value, str | Mapping) and hasattr(value, "conn_id") and hasattr(value, "protocol"):
        return {"path": str(value)} if literal else str(value)
    return value
