"""An operator that removes what uploads have left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_quatrix.operators.base import QuatrixFileOperator
from airflow_provider_quatrix.operators.session import at_least

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.hooks.signatures import QuatrixArguments


class QuatrixCleanupOperator(QuatrixFileOperator):
    """Removes unfinished uploads of this package, and checkpoints of transfers, that no task will resume.

    Both are left only if a worker was killed and no retry of its task followed.

    :param path: folder on Quatrix below which to look; default the home folder (templated).
    :param older_than: only what nobody has written to for this time, in seconds or as a ``timedelta``; default 7 days.
        Set it longer than the time between two tries of a task.
    :param dry_run: remove nothing, only report what would be removed.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"files", "bytes", "checkpoints"}``: how many unfinished uploads with how many bytes, and how many
        checkpoints.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "path")

    def __init__(
        self,
        *,
        path: str = "/",
        older_than: timedelta | float = 604_800.0,
        dry_run: bool = False,
        **kwargs: Unpack[QuatrixArguments],
    ) -> None:
        super().__init__(**kwargs)
        self._check_paths(path=path)
        self.path = path
        self.older_than = at_least("older_than", older_than, 0)
        # Airflow has a method of that name.
        self._dry_run = dry_run

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, int]:
        cleaned = hook.cleanup(self.path, older_than=self.older_than, dry_run=self._dry_run)
        return {name: cleaned[name] for name in ("files", "bytes", "checkpoints")}
