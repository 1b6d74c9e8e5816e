"""Which files calls have read and written: for Airflow's hook lineage, and for OpenLineage."""

from __future__ import annotations

import logging
import posixpath
import re
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from airflow_provider_quatrix.transfer.places import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

# More files than these on one side are reported as the folder that contains them all.
MOST_DATASETS = 50

QUATRIX_SCHEME = "quatrix"
LOCAL = "file"
# Characters that stay as they are in a URI's path, by RFC 3986.
_PLAIN = "/-._~!$&'()*+,;=:@"
# Airflow and other providers do not escape paths of stores in URIs; only these characters would not stay in the path.
_NOT_PLAIN_ELSEWHERE = re.compile(r"[?#\x00-\x1f]")
# Several names of one store, and OpenLineage's name for it.
_SCHEMES = {"gcs": "gs", "s3a": "s3", "s3n": "s3", "local": LOCAL}


@dataclass(frozen=True)
class Dataset:
    """A file or folder, as OpenLineage names it.

    :param namespace: the store: ``quatrix://acme.quatrix.it``, ``s3://bucket``, or ``file`` for local files.
    :param name: path in it.
    """

    namespace: str
    name: str

    @property
    def uri(self) -> str:
        """The URI that Airflow's assets use for it."""
        if self.namespace.startswith(f"{QUATRIX_SCHEME}://"):
            return self.namespace + quoted(self.name)
        top = self.namespace if "://" in self.namespace else f"{self.namespace}://"
        return f"{top}/{_NOT_PLAIN_ELSEWHERE.sub(lambda found: quote(found[0]), self.name.removeprefix('/'))}"


# Returns the dataset of a path, or of a URL, in one store.
Naming = Callable[[str], Dataset]


def quoted(path: str) -> str:
    """Return a path on Quatrix as it is written in a URI; all its spellings become the same."""
    return quote("/" + "/".join(name for name in path.split("/") if name), safe=_PLAIN, errors="replace")


def authority(base_url: str) -> str:
    """Return the name of an account in URIs: its host, in lower case, with the port unless that is 443.

    :param base_url: scheme and host, perhaps with a port.
    """
    url = urlsplit(base_url)
    host, port = url.hostname or "", url.port or (80 if url.scheme == "http" else 443)
    shown = f"[{host}]" if ":" in host else host
    # Without a port, a word would be taken for a folder, which such a URL may mean elsewhere.
    return shown if port == 443 and is_whole_host(host) else f"{shown}:{port}"


def is_whole_host(host: str) -> bool:
    """Return whether a name can only be a host's, and not that of a folder or connection."""
    return "." in host or ":" in host or host == "localhost"


def on_quatrix(base_url: str) -> Naming:
    """Return how files of an account are named.

    :param base_url: scheme and host of the account.
    """
    namespace = f"{QUATRIX_SCHEME}://{authority(base_url)}"
    return lambda path: Dataset(namespace, "/" + path.strip("/"))


def on_this_host(path: str) -> Dataset:
    """Return the dataset of a local file, named as Airflow's common-io provider does, without the host."""
    return Dataset(LOCAL, str(Path(path).absolute()))


def in_store(host: Callable[[], str]) -> Naming:
    """Return how files of another store are named by their URLs.

    :param host: returns the name of the store if its URLs have none, such as those of SFTP.
    """
    known = cache(host)

    def dataset(url: str) -> Dataset:
        place = Place.of(url, "url")
        scheme = _SCHEMES.get(place.scheme, place.scheme)
        container, _, key = place.path.partition("/")
        if scheme == LOCAL:
            return Dataset(LOCAL, place.path)
        if container:
            return Dataset(f"{scheme}://{container}", key.strip("/") or "/")
        return Dataset(f"{scheme}://{known()}", place.path)

    return dataset


def host_of(connection: Any) -> str:
    """Return host and port of an Airflow connection, without the credentials that a URL in its host may contain."""
    host = connection.host or ""
    url = urlsplit(host if "://" in host else f"//{host}")
    port = connection.port or url.port
    return f"{url.hostname or connection.conn_id}" + (f":{port}" if port else "")


@dataclass(frozen=True)
class Lineage:
    """What a call has read and written.

    :param inputs: what it has read.
    :param outputs: what it has written.
    """

    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()

    @classmethod
    def of(cls, moved: Sequence[tuple[str, str]], source: Naming, target: Naming) -> Self:
        """Return the lineage of files that were moved or copied.

        :param moved: source and target of each.
        :param source: how the sources are named.
        :param target: how the targets are named.
        :return: each file; for more than :data:`MOST_DATASETS` in a store, the folder that contains them all.
        """
        return cls(
            _few(source(path) for path, _ in moved),
            _few(target(path) for _, path in moved),
        )


def _few(found: Iterable[Dataset]) -> tuple[Dataset, ...]:
    stores: dict[str, dict[str, None]] = {}
    for dataset in found:
        stores.setdefault(dataset.namespace, {})[dataset.name] = None
    return tuple(
        Dataset(namespace, name)
        for namespace, names in stores.items()
        for name in (names if len(names) <= MOST_DATASETS else [_folder_of(names)])
    )


def _folder_of(names: Iterable[str]) -> str:
    return posixpath.commonpath([posixpath.dirname(name) for name in names]) or "/"


def reported(context: Any, moved: Sequence[tuple[str, str]], source: Naming, target: Naming) -> Lineage:
    """Report to Airflow's hook lineage what a call has moved or copied; never fails.

    :param context: the hook.
    :param moved: see :meth:`Lineage.of`, as for the other arguments.
    :return: what was reported.
    """
    lineage = Lineage()
    try:
        lineage = Lineage.of(moved, source, target)
        if moved and _is_wanted():
            _report(context, lineage)
    except Exception as error:  # noqa: BLE001 - a missing report must not fail the task
        log.debug("The lineage could not be reported (%s)", type(error).__name__)
    return lineage


def _report(context: Any, lineage: Lineage) -> None:
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
    sides = ((lineage.inputs, collector.add_input_asset), (lineage.outputs, collector.add_output_asset))
    for uri, add in [(dataset.uri, add) for datasets, add in sides for dataset in datasets]:
        try:
            add(context, uri=uri)
        except ValueError:
            # Airflow 2 accepts ASCII only.
            add(context, uri=quote(uri, safe=string.printable, errors="replace"))


def _is_wanted() -> bool:
    """Return whether anybody reads the lineage, as asking Airflow for the collector alone takes seconds."""
    try:
        from airflow.sdk.plugins_manager import get_hook_lineage_readers_plugins
    except ImportError:
        # Airflow 2 does not tell.
        return True
    return bool(get_hook_lineage_readers_plugins())
