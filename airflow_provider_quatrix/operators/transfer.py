"""The operator that transfers files between Quatrix and other stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from airflow_provider_quatrix.hooks.arguments import from_text, is_rendered_later
from airflow_provider_quatrix.operators.base import MODES, QuatrixMovingOperator
from airflow_provider_quatrix.transfer.options import checked_read_back
from airflow_provider_quatrix.transfer.places import Place, as_texts, check_ends

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.hooks.signatures import StoreArguments


class QuatrixTransferOperator(QuatrixMovingOperator):
    """Transfers files, folders with everything in them, or what matches patterns between Quatrix and any other store.

    The other end is any that Airflow's object storage supports: S3, GCS, Azure, SFTP, local files, another Quatrix
    account. The bytes pass through the worker's memory and never reach its disk. Within one account the service copies.
    Nobody sees a file under its final name before it is complete. A retry transfers only what is missing.

    :param source: URL such as ``s3://conn_id@bucket/key`` of a file or folder, or a pattern; a path without a scheme is
        on Quatrix, in the account of ``quatrix_conn_id``. One or several of one store, also as ``ObjectStoragePath``,
        or as earlier results (templated).
    :param target: URL or path. For a single file, it is the new one itself, unless it ends in a slash. Otherwise, it is
        the folder for the files, which keep their names; the content of a folder keeps its structure (templated).
    :param if_exists: what to do if the file's name is taken: ``fail`` (default), ``skip``, ``overwrite``, or
        ``rename``, which stores the new one as ``name(1).csv``.
    :param create_parents: make missing folders of the target. Those below it are always made.
    :param transfers: files at a time, from 1 to 64; default 4. Each takes about 32 MiB of memory.
    :param delete_source: once all files have arrived, delete those at the source that have not changed since they were
        read; on Quatrix they go to the Trash. Folders stay.
    :param verify: read each file back from the target, and compare its digest; default: if ``delete_source`` is set.
        For a copy within one account, the size is compared.
    :param checksum: digest of the bytes in the result: an algorithm of hashlib, or ``None`` for none; default
        ``sha256``.
    :param bandwidth: the most bytes per second, for all files of the task together; default no limit.
    :param glob: whether text is a pattern; default: if the DAG's author wrote wildcards into it.
    :param results: ``all``, ``summary``, or ``auto`` (default): a summary of more than 1,000 files.
    :param quatrix_conn_id: connection for paths without a scheme, and for ``quatrix://`` URLs without a connection
        (templated).
    :return: as in :class:`~airflow_provider_quatrix.operators.files.QuatrixUploadOperator`; ``path`` is at the target,
        and a URL unless that is on Quatrix. ``sha256`` is empty if the service copied.
    """

    template_fields: Sequence[str] = (*QuatrixMovingOperator.template_fields, "verify")
    _modes = MODES
    _takes_urls = True

    @property
    def _linked(self) -> str:  # type: ignore[override]
        return "target" if isinstance(self.target, str) and Place.of(self.target, "target").is_on_quatrix else "source"

    def __init__(
        self, *, source: Any, target: Any, verify: bool | str | None = None, **kwargs: Unpack[StoreArguments]
    ) -> None:
        super().__init__(source=as_texts(source, literal=False), target=as_texts(target, literal=False), **kwargs)
        self.verify: Any = verify
        if not any(map(is_rendered_later, (verify, self.checksum, self.delete_source))):
            self._check_read_back()

    def _check_rendered(self) -> None:
        super()._check_rendered()
        self._check_read_back()

    def _check_read_back(self) -> None:
        verify = from_text(self.verify)
        self.verify = checked_read_back(verify, self.checksum, delete_source=self.delete_source)
        self._check_places()

    def _check_places(self) -> None:
        """Check source and target, as far as they are known while the DAG is parsed."""
        sources = self.source if isinstance(self.source, list) else [self.source]
        froms = [Place.of(text, "source") for text in sources if _is_known(text)]
        if _is_known(self.target):
            check_ends(froms, Place.of(self.target, "target"))

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        results = hook.transfer(
            self._sources(context),
            self.target,
            if_exists=self.if_exists,
            create_parents=self.create_parents,
            glob=self._globs,
            verify=self.verify,
            **self._how(),
        )
        return self._moved(results)


def _is_known(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and not is_rendered_later(value)
