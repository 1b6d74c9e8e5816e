"""``quatrix://acme.quatrix.it/folder/file`` as assets of Airflow, and as datasets of OpenLineage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_provider_quatrix.api.paths import split
from airflow_provider_quatrix.hooks.connection import CONN_TYPE, read_host
from airflow_provider_quatrix.hooks.lineage import authority, is_whole_host, on_quatrix, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.providers.common.compat.sdk import Asset
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_quatrix.hooks.lineage import Lineage

_EXAMPLE = "quatrix://acme.quatrix.it/folder/file"
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the normal form of an asset's URI; Airflow calls this whenever an asset is made.

    A URI without a host is a path of ``ObjectStoragePath``, such as ``quatrix://conn_id@/folder/file``. It stays as it
    is: Airflow makes assets of these whenever such a path is read or written.

    :param uri: split by ``urllib``.
    :return: host in lower case, no port 443, no empty names, special characters escaped.
    :raises ValueError: it is not the URI of a file or folder of an account; the message says what to write instead.
    """
    if not uri.netloc.rpartition("@")[2]:
        return uri
    if "@" in uri.netloc:
        raise ValueError(
            f"A quatrix:// asset names no connection and no user, only the account's host: write {_EXAMPLE}"
        )
    if uri.query:
        raise ValueError("A quatrix:// asset has no query: write %3F for a question mark in a file's name")
    host = _checked_host(uri)
    split(unquote(uri.path))
    return uri._replace(netloc=host, path=quoted(unquote(uri.path)))


def _checked_host(uri: SplitResult) -> str:
    try:
        host, port = uri.hostname or "", uri.port
    except ValueError:
        host, port = "", None
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError(f"{uri.netloc!r} is not the host of an account: write {_EXAMPLE}")
    if port is None and not is_whole_host(host):
        raise ValueError(
            f"{host!r} is not the whole host of an account: write quatrix://{host}.quatrix.it{uri.path} if that is "
            f"what you mean; where {host!r} is a folder, begin with the account's host, as in {_EXAMPLE}"
        )
    return authority(f"https://{uri.netloc}")


def create_asset(*, host: str, path: str = "/", extra: Mapping[str, Any] | None = None) -> Asset:
    """Return the asset of a file or folder.

    :param host: the account's host, as a connection has it: ``acme.quatrix.it``, ``acme``, or a URL.
    :param path: from the home folder, without escapes.
    :param extra: any other information about it.
    :return: the asset; its name is its URI.
    :raises ValueError: host or path is invalid.
    """
    from airflow.providers.common.compat.sdk import Asset

    try:
        base_url = read_host(host)
    except ValueError as error:
        raise ValueError(f"host {error}") from None
    split(path)
    return Asset(uri=on_quatrix(base_url)(path).uri, extra=None if extra is None else dict(extra))


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any = None) -> OpenLineageDataset:
    """Return the dataset of an asset; Airflow's OpenLineage provider calls this.

    :param asset: with the account's host in its URI, or with the URI of a path, whose connection is looked up.
    :param lineage_context: the hook or path that reported the asset.
    :return: namespace ``quatrix://acme.quatrix.it``, name ``/folder/file``.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    uri = urlsplit(asset.uri)
    named, _, host = uri.netloc.rpartition("@")
    if host:
        return Dataset(namespace=f"{CONN_TYPE}://{host}", name=unquote(uri.path))
    from airflow_provider_quatrix.fs.quatrix import get_fs

    conn_id: str | None = named
    path = uri.path
    if getattr(lineage_context, "protocol", None) == CONN_TYPE:
        # Airflow 2 removes the connection from URIs, and Airflow 2 and 3 both take a # for the end of the path.
        conn_id, path = _connection_of(lineage_context), lineage_context.path
    found = on_quatrix(get_fs(conn_id).client.base_url)(path)
    return Dataset(namespace=found.namespace, name=found.name)


def _connection_of(path: Any) -> str | None:
    # Paths of Airflow 2 have the connection among their options only.
    found: str | None = path.conn_id if hasattr(path, "conn_id") else path.storage_options.get("conn_id")
    return found


def operator_lineage(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """Return what a task has read and written, in the form of the OpenLineage provider.

    :param lineage: of the hook.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs, outputs = (
        [Dataset(namespace=each.namespace, name=each.name) for each in side]
        for side in (lineage.inputs, lineage.outputs)
    )
    return OperatorLineage(inputs=inputs, outputs=outputs)
