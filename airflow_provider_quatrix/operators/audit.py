"""The operator that exports the account's activity log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.arguments import is_rendered_later
from airflow_provider_quatrix.operators.base import QuatrixFileOperator
from airflow_provider_quatrix.transfer.exports import Destination, Interval
from airflow_provider_quatrix.transfer.places import as_texts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.hooks.signatures import Path, QuatrixArguments
    from airflow_provider_quatrix.transfer.filters import Moment


class QuatrixAuditExportOperator(QuatrixFileOperator):
    """Exports who did what in the account within an interval, to a CSV file or a table of a database.

    A retry, and another run for the same interval, replace what is there. So no entry is missing, and none is there
    twice. The id of a share is never written.

    :param target: local path of the file, or its URL in a store, such as ``s3://conn_id@bucket/key`` or
        ``quatrix:///folder/file``; one that ends in a slash is the folder that gets a file named after the interval
        (templated).
    :param conn_id: connection of a database, in place of a file (templated).
    :param table: table in it (templated).
    :param start: first moment of the interval: a datetime with a time zone, ISO 8601 text, or a timedelta before the
        end; default ``{{ data_interval_start }}`` (templated).
    :param end: the moment right after the interval; default ``{{ data_interval_end }}`` (templated).
    :param full: read the service's CSV, which also has copies and IP addresses, but no ids.
    :param create_parents: make missing folders above the file.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"path", "table", "entries", "start", "end"}``.
    """

    template_fields: Sequence[str] = (
        *("quatrix_conn_id", "target", "conn_id", "table", "start", "end", "full", "create_parents"),
    )
    _nowhere = ""

    @property
    def _linked(self) -> str:  # type: ignore[override]
        is_on_quatrix = isinstance(self.target, str) and self.target.lower().startswith("quatrix://")
        return "target" if is_on_quatrix else "_nowhere"

    def __init__(
        self,
        *,
        target: Path | None = None,
        conn_id: str | None = None,
        table: str | None = None,
        start: Moment = "{{ data_interval_start }}",
        end: datetime | str = "{{ data_interval_end }}",
        full: bool | str = False,
        create_parents: bool | str = False,
        **kwargs: Unpack[QuatrixArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.target = as_texts(target, literal=False)
        self.conn_id = conn_id
        self.table = table
        self.start = start
        self.end = end
        self.full = self._flag("full", full)
        self.create_parents = self._flag("create_parents", create_parents)
        if not any(map(is_rendered_later, (target, conn_id, table))) and not self._from_mapping:
            Destination.of(self.target, conn_id, table)
        if not any(map(is_rendered_later, (start, end))) and not self._from_mapping:
            Interval.of(start, end)

    def _check_rendered(self) -> None:
        super()._check_rendered()
        Interval.of(self.start, self.end)
        Destination.of(self.target, self.conn_id, self.table)

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any]:
        return dict(
            hook.export_activity(
                self.start,
                self.end,
                target=self.target,
                conn_id=self.conn_id,
                table=self.table,
                full=self.full,
                create_parents=self.create_parents,
            )
        )
