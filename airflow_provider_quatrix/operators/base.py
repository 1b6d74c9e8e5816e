"""Base of the operators: paths, patterns and results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID, CheckedArguments, NamedArguments
from airflow_provider_quatrix.links.quatrix import FILES, LINKS, address_of, showing_block
from airflow_provider_quatrix.transfer.options import checked_bandwidth, checked_checksum, checked_flag
from airflow_provider_quatrix.transfer.sources import Templates, check_no_url, names_and_patterns, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.hooks.signatures import Path, Paths
    from airflow_provider_quatrix.transfer.results import Transfers

MODES = ("fail", "skip", "overwrite", "rename")
# Transfers can skip what has not changed.
TRANSFER_MODES = (*MODES, "update")
RESULTS = ("auto", "all", "summary")
# More results than this are of no use to a person, and a burden to the database.
MOST_RESULTS = 1000


class QuatrixOperator(NamedArguments, BaseOperator):
    """Base of all operators.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    template_fields: Sequence[str] = ("quatrix_conn_id",)
    ui_color = "#dbe9f4"

    def __init__(self, *, quatrix_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quatrix_conn_id = quatrix_conn_id

    @property
    def hook(self) -> QuatrixHook:
        """A hook for the connection."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        return QuatrixHook(self.quatrix_conn_id)


class QuatrixFileOperator(CheckedArguments, QuatrixOperator):
    """Base of the file operators."""

    operator_extra_links = LINKS
    _takes_urls = False
    # The argument with the path on Quatrix.
    _linked = "path"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._hook: QuatrixHook | None = None
        # Airflow may retry the task until its success is recorded.
        self.on_success_callback = [*_several(self.on_success_callback), _forget_done]

    def execute(self, context: Context) -> Any:
        """Do the work. A failure becomes a message of one line, and is final if a retry cannot help."""
        from airflow_provider_quatrix.hooks.attempt import Attempt
        from airflow_provider_quatrix.hooks.failures import airflow_errors

        try:
            self._check_rendered()
        except ValueError as error:
            raise AirflowFailException(str(error)) from None
        with airflow_errors(self.quatrix_conn_id), showing_block(self, context):
            self._hook = self.hook
            self._hook.attempt = Attempt.of(context, self.retries or 0)
            FILES.write(self, context, address_of(self._hook.settings.base_url, getattr(self, self._linked)))
            return self._run(self._hook, context)

    def _run(self, hook: QuatrixHook, context: Context) -> Any:
        raise NotImplementedError

    def on_kill(self) -> None:
        """Stop the task's transfers."""
        if self._hook is not None:
            self._hook.stop()

    def _flag(self, name: str, value: object) -> Any:
        """Return an argument that is true or false, checked as :meth:`_checked` does."""
        return self._checked(name, value, partial(checked_flag, name))

    def _check_paths(self, **arguments: object) -> None:
        """Check paths while the DAG is parsed, as far as they are known by then.

        :raises ValueError: one is empty, or a URL.
        """
        for name, value in arguments.items():
            # A mapped task gets its arguments at run time only, and such a list may be empty.
            if not self._from_mapping and (value is None or value in ("", [], ())):
                raise ValueError(f"{name} is empty: give a path")
            if isinstance(value, str) and not self._takes_urls:
                check_no_url(value, name)

    @property
    def _from_mapping(self) -> bool:
        return bool(getattr(self, "_BaseOperator__from_mapped", False))


class QuatrixSourcesOperator(QuatrixFileOperator):
    """Base of the operators that work on what paths and patterns name.

    :param glob: whether text is a pattern. ``None``: if the DAG's author wrote wildcards into it, outside of templates;
        earlier results are names. ``False``: all text is a name. ``True``: all text is a pattern.
    """

    # The name of the argument with the sources.
    _of_sources = ""

    def __init__(self, *, glob: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not (glob is None or isinstance(glob, bool)):
            raise ValueError(f"glob is {glob!r}: give True, False or None")
        self.glob = glob

    def _keep_written(self) -> None:
        """Keep what the DAG's author wrote, before it is rendered."""
        self._written = written(getattr(self, self._of_sources))

    def _sources(self, context: Context) -> Any:
        """Return the rendered sources, in which only patterns of the DAG's author are text."""
        name, authored = self._of_sources, self._written
        if self._from_mapping:
            mapped = context["dag"].task_dict.get(self.task_id)
            authored = expanded(getattr(mapped, "expand_input", None), name, context["ti"].map_index or 0, authored)
        templates = Templates(
            lex=lambda text: self.get_template_env().lex(text),
            render=lambda text: self.render_template(text, context),
        )
        return names_and_patterns(authored, getattr(self, name), templates, self.glob)

    @property
    def _globs(self) -> bool | None:
        # With False, no source is text any more.
        return self.glob or None


class QuatrixResultsOperator(QuatrixSourcesOperator):
    """Base of the operators whose results may be many.

    :param results: what goes into the XCom: ``all``, one result per file; ``summary``, their number; ``auto``, the
        default, a summary of more than 1,000.
    """

    def __init__(self, *, results: str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.results = self._checked("results", results, partial(one_of, "results", choices=RESULTS))

    def _shown(self, shown: list[dict[str, Any]], *, single: bool) -> dict[str, Any] | list[dict[str, Any]]:
        if self._sums_up(len(shown)):
            folders = sum(result.get("kind") == "folder" for result in shown)
            return {
                "summary": True,
                "files": len(shown) - folders,
                "folders": folders,
                "bytes": sum(result["size"] for result in shown if result.get("kind") != "folder"),
                "skipped": sum(result.get("skipped", False) for result in shown),
            }
        return shown[0] if single and shown else shown

    def _sums_up(self, count: int) -> bool:
        """Return whether so many results are given as a summary."""
        return self.results == "summary" or (self.results == "auto" and count > MOST_RESULTS)


class QuatrixTargetOperator(QuatrixResultsOperator):
    """Base of the operators with a source and a target.

    :param source: one path or pattern, or several; or an earlier result (templated).
    :param target: where to (templated).
    :param if_exists: what to do if the wanted name is taken: ``fail``, ``skip``, ``overwrite`` or ``rename``.
    :param create_parents: make missing folders of the target.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "source", "target", "if_exists", "create_parents", "results")
    _of_sources = "source"
    _linked = "target"
    _modes: Sequence[str] = MODES

    def __init__(
        self,
        *,
        source: Paths,
        target: Path,
        if_exists: str = "fail",
        create_parents: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.target = target
        self.if_exists = self._checked("if_exists", if_exists, partial(one_of, "if_exists", choices=self._modes))
        self.create_parents = self._flag("create_parents", create_parents)
        self._check_paths(source=source, target=target)
        self._keep_written()

    def get_openlineage_facets_on_complete(self, ti: Any) -> OperatorLineage[Any, Any] | None:
        """Return what the task has read and written. Airflow's OpenLineage provider calls this, if installed."""
        if self._hook is None:
            return None
        from airflow_provider_quatrix.assets.quatrix import operator_lineage

        return operator_lineage(self._hook.lineage)


class QuatrixPathOperator(QuatrixSourcesOperator):
    """Base of the operators with one path.

    :param path: path on Quatrix (templated).
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "path")
    _of_sources = "path"

    def __init__(self, *, path: Paths, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self._check_paths(path=path)
        self._keep_written()


def expanded(expand_input: Any, name: str, map_index: int, authored: Any) -> Any:
    """Return what an author wrote as text in an argument of a mapped task, as :func:`written` does.

    :param expand_input: what was given to ``expand`` or ``expand_kwargs``; ``None`` if not known.
    :param map_index: which of the mapped task instances.
    :param authored: :func:`written` of the mapped argument.
    """
    given = getattr(expand_input, "value", None)
    if isinstance(given, Mapping):
        return authored if name not in given or _is_written(given[name]) else None
    if isinstance(given, list | tuple) and isinstance(given[map_index], Mapping):
        return authored if name not in given[map_index] or _is_written(given[map_index][name]) else None
    return None


def _is_written(value: Any) -> bool:
    """Return whether a value was written in the DAG and contains no result."""
    if isinstance(value, list | tuple):
        return all(_is_written(each) for each in value)
    return isinstance(value, str | PathLike)


def one_of(name: str, value: Any, choices: Sequence[str]) -> Any:
    """Check an argument that has a few possible values.

    :raises ValueError: it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: give one of {', '.join(map(repr, choices))}")
    return value


def transfers_at_a_time(value: Any) -> int:
    """Check how many files are moved at a time.

    :raises ValueError: it is not a whole number from 1 to 64.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 64:
        raise ValueError(f"transfers is {value!r}: give a whole number from 1 to 64")
    return value


def _several(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]


def _forget_done(context: Context) -> None:
    """Delete a task's checkpoints once its success is recorded."""
    hook = getattr(context["task"], "_hook", None)
    if hook is not None:
        hook.attempt.forget_done()


class QuatrixMovingOperator(QuatrixTargetOperator):
    """Base of the operators that move bytes.

    :param transfers: files at a time, from 1 to 64; default 4.
    :param checksum: digest of the local bytes in the result: an algorithm of hashlib, or ``None`` for none.
    :param bandwidth: the most bytes per second, for all files of the task together; default no limit.
    :param delete_source: delete the sources that have arrived.
    """

    template_fields: Sequence[str] = (
        *QuatrixTargetOperator.template_fields,
        "transfers",
        "checksum",
        "bandwidth",
        "delete_source",
    )
    _modes: Sequence[str] = TRANSFER_MODES

    def __init__(
        self,
        *,
        transfers: int | str = 4,
        checksum: str | None = "sha256",
        bandwidth: float | str | None = None,
        delete_source: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.transfers = self._checked("transfers", transfers, transfers_at_a_time)
        self.checksum = self._checked("checksum", checksum, checked_checksum)
        self.bandwidth = self._checked("bandwidth", bandwidth, checked_bandwidth)
        self.delete_source = self._flag("delete_source", delete_source)

    def _how(self) -> dict[str, Any]:
        """Return arguments for the hook."""
        return {
            "transfers": self.transfers,
            "checksum": self.checksum,
            "bandwidth": self.bandwidth,
            "delete_source": self.delete_source,
        }

    def _moved(self, results: Transfers) -> dict[str, Any] | list[dict[str, Any]]:
        """Return what goes into the XCom."""
        shown = [
            {
                "path": result.path,
                "id": result.id,
                "size": result.size,
                **({} if self.checksum is None else {self.checksum: result.digest}),
                "seconds": round(result.seconds, 3),
                "skipped": result.skipped,
                **({"source_deleted": result.source_deleted} if self.delete_source else {}),
            }
            for result in results
        ]
        return self._shown(shown, single=results.single)
