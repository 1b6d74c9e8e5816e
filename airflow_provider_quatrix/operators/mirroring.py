"""Base of the upload and download operators: mirrors and dry runs."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.arguments import is_rendered_later
from airflow_provider_quatrix.operators.base import QuatrixMovingOperator
from airflow_provider_quatrix.operators.selecting import PLACING, QuatrixPlacingOperator
from airflow_provider_quatrix.transfer.options import checked_delete_extra, checked_flag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.transfer.results import Transfers


class QuatrixMirroringOperator(QuatrixMovingOperator, QuatrixPlacingOperator):
    """Base of the operators that can mirror a folder, and show beforehand what they would do.

    :param delete_extra: delete what the target has and the source lacks.
    :param dry_run: move and delete nothing, only report what would happen.
    """

    template_fields: Sequence[str] = (*QuatrixMovingOperator.template_fields, *PLACING)

    def __init__(self, *, delete_extra: bool = False, dry_run: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.delete_extra = checked_delete_extra(
            delete_extra, if_exists=self.if_exists, delete_source=self.delete_source
        )
        # Airflow's operators have a method of that name.
        self._dry_run = checked_flag("dry_run", dry_run)
        if self.delete_extra:
            check_mirror_arguments(self.source, self.target, self.glob, self._selection())

    def _how(self) -> dict[str, Any]:
        """Return arguments for the hook."""
        return {**super()._how(), "delete_extra": self.delete_extra, "dry_run": self._dry_run}

    def _xcom_of(self, results: Transfers, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        """Return what goes into the XCom. What a mirror has deleted gets an XCom key of its own."""
        if results.dry_run:
            return dry_run_result(results, summary=self._sums_up(len(results) + len(results.deleted)))
        if self.delete_extra and self.do_xcom_push and "ti" in context:
            deleted = list(results.deleted)
            summary = {"summary": True, "deleted": len(deleted)}
            context["ti"].xcom_push(key="deleted", value=summary if self._sums_up(len(deleted)) else deleted)
        return self._moved(results)


def check_mirror_arguments(source: Any, target: Any, glob: bool | None, selection: Mapping[str, Any]) -> None:
    """Check source and target of a mirror, as far as they are known while the DAG is parsed.

    :raises ValueError: the source is not a single folder, the target is not a folder of its own, or files are left out.
    """
    from airflow_provider_quatrix.transfer.mirror import (
        check_mirror_selection,
        check_mirror_source,
        check_mirror_target,
    )
    from airflow_provider_quatrix.transfer.sources import Sources

    check_mirror_selection(selection)
    if isinstance(source, list | tuple) or _is_final(source):
        check_mirror_source(Sources.of(["/"] if isinstance(source, list | tuple) else source, glob=glob))
    if _is_final(target):
        check_mirror_target(fspath(target))


def _is_final(path: Any) -> bool:
    """Return whether a path is known now, and not only after a template or an earlier task."""
    return isinstance(path, str | PathLike) and not is_rendered_later(path)


def dry_run_result(results: Transfers, *, summary: bool) -> dict[str, Any]:
    """Return the result of a dry run.

    :param summary: numbers only.
    """
    sent = [result.path for result in results if not result.skipped]
    skipped = [result.path for result in results if result.skipped]
    size = sum(result.size for result in results if not result.skipped)
    paths = {
        "sent": sent,
        "skipped": skipped,
        "made": list(results.made),
        "deleted": list(results.deleted),
        "deleted_sources": list(results.deleted_sources),
    }
    if not summary:
        return {"dry_run": True, **paths, "bytes": size}
    return {"dry_run": True, "summary": True, **{what: len(of_it) for what, of_it in paths.items()}, "bytes": size}
