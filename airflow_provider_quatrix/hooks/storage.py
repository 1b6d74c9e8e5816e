"""The hook's transfers between Quatrix and other stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.hooks.files import FileCalls
from airflow_provider_quatrix.hooks.lineage import host_of, in_store
from airflow_provider_quatrix.transfer.endpoints import QuatrixEndpoint
from airflow_provider_quatrix.transfer.exchange import Exchange
from airflow_provider_quatrix.transfer.journal import Journal, leaving_nothing
from airflow_provider_quatrix.transfer.options import checked_read_back
from airflow_provider_quatrix.transfer.places import Place, as_texts, check_ends
from airflow_provider_quatrix.transfer.results import Transfers
from airflow_provider_quatrix.transfer.settings import DEFAULT_TRANSFERS
from airflow_provider_quatrix.transfer.sources import Source, Sources, path_of
from airflow_provider_quatrix.transfer.store_endpoint import StoreEndpoint

if TYPE_CHECKING:
    from airflow_provider_quatrix.hooks.connection import ConnectionSettings
    from airflow_provider_quatrix.hooks.lineage import Naming
    from airflow_provider_quatrix.transfer.endpoints import Endpoint


class StorageCalls(FileCalls):
    """Transfers between stores; a part of the hook."""

    quatrix_conn_id: str

    @property
    def settings(self) -> ConnectionSettings:
        """The connection, checked."""
        raise NotImplementedError

    def transfer(
        self,
        source: Any,
        target: Any,
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        transfers: int = DEFAULT_TRANSFERS,
        glob: bool | None = None,
        checksum: str | None = "sha256",
        verify: bool | None = None,
        bandwidth: float | None = None,
        delete_source: bool = False,
    ) -> Transfers:
        """Transfer files, folders or what matches patterns between Quatrix and any store that Airflow supports.

        :param source: URLs such as ``s3://conn_id@bucket/key``, or patterns; a path without a scheme is on Quatrix.
            One or several of one store, also as paths of Airflow's object storage, or as earlier results.
        :param target: URL or path. For a single file, it is the new one itself, unless it ends in a slash. Otherwise,
            it is the folder for the files.
        :param if_exists: ``fail``, ``skip``, ``overwrite`` or ``rename``.
        :param create_parents: make missing folders of the target. Those below it are always made.
        :param transfers: files at a time; each takes about 32 MiB of memory.
        :param glob: see :meth:`move_many`.
        :param checksum: digest of the bytes in the results: an algorithm of hashlib, or ``None`` for none.
        :param verify: read each file back from the target, and compare its digest; default: if ``delete_source`` is
            set. For a copy within one account, the size is compared.
        :param bandwidth: the most bytes per second, for all files together.
        :param delete_source: once all files have arrived, delete those at the source that have not changed since they
            were read; on Quatrix they go to the Trash.
        :return: one result per file, in the order of the plan. Paths in other stores are URLs.
        """
        settings = self._settings(
            IfExists.parse(if_exists).value,
            {},
            create_parents=create_parents,
            transfers=transfers,
            checksum=checksum,
            verify=checked_read_back(verify, checksum, delete_source=delete_source),
            bandwidth=bandwidth,
            delete_source=delete_source,
        )
        given = Sources.of(as_texts(source, literal=True), glob=glob, urls=True)
        froms = [Place.of(each.text, "source") for each in given]
        to = Place.of(path_of(as_texts(target, literal=True), "target", urls=True), "target")
        check_ends(froms, to)
        if not froms:
            return Transfers()
        names = (to.url(to.path), *given.described)
        journal = Journal(self._checkpoint_of("transfer", *names), is_retry=settings.is_retry)
        found = Sources(
            tuple(Source(place.path, each.is_pattern) for place, each in zip(froms, given, strict=True)), given.many
        )
        with self._running() as stop, leaving_nothing(settings, stop, journal):
            exchange = Exchange(
                self._end(froms[0]),
                self._end(to),
                (froms[0], to),
                settings,
                stop=stop,
                journal=journal,
                same_account=self._is_one_account(froms[0], to),
                on_arrival=lambda size: self.client.report_moved("transfer", size),
            )
            results = exchange.run(found)
        self._report(results.moved, self._naming_of(froms[0]), self._naming_of(to))
        return results

    def _end(self, place: Place) -> Endpoint:
        return QuatrixEndpoint(self._hook_of(place)._tree()) if place.is_on_quatrix else StoreEndpoint(place)

    def _naming_of(self, place: Place) -> Naming:
        """Return how lineage names the files of a place."""
        if place.is_on_quatrix:
            return self._hook_of(place)._naming
        return in_store(lambda: "" if place.conn_id is None else host_of(BaseHook.get_connection(place.conn_id)))

    def _hook_of(self, place: Place) -> StorageCalls:
        if place.conn_id in (None, self.quatrix_conn_id):
            return self
        return type(self)(place.conn_id)  # type: ignore[call-arg]

    def _is_one_account(self, one: Place, other: Place) -> bool:
        if not one.is_on_quatrix or not other.is_on_quatrix:
            return False
        settings = [self._hook_of(place).settings for place in (one, other)]
        users = {(each.base_url, each.login.lower(), "" if each.login else each.conn_id) for each in settings}
        return len(users) == 1
