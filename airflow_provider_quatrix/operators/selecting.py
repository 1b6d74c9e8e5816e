"""Base of the operators that work on a selection of files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.arguments import is_rendered_later
from airflow_provider_quatrix.operators.base import QuatrixSourcesOperator
from airflow_provider_quatrix.transfer.filters import FileFilter, read_moment, read_on_error, read_patterns, read_size

if TYPE_CHECKING:
    from airflow_provider_quatrix.transfer.filters import Moment, Patterns

_FILTERS = ("include", "exclude", "newer_than", "older_than", "min_size", "max_size")
# For template_fields.
SELECTION = (*_FILTERS, "missing_ok")
PLACING = (*SELECTION, "keep_structure", "on_error")


class QuatrixSelectingOperator(QuatrixSourcesOperator):
    """Base of the operators that can leave out files; all arguments are templated.

    :param include: one pattern or several: only files that match one of them.
    :param exclude: one pattern or several: no files that match one of them.
    :param newer_than: only files modified after this: a datetime, ISO 8601 text, or a timedelta before now.
    :param older_than: only files modified before this.
    :param min_size: only files of at least so many bytes.
    :param max_size: only files of at most so many bytes.
    :param missing_ok: a path that does not exist, or a pattern that matches nothing, is fine.
    """

    def __init__(
        self,
        *,
        include: Patterns | None = None,
        exclude: Patterns | None = None,
        newer_than: Moment | None = None,
        older_than: Moment | None = None,
        min_size: int | str = 0,
        max_size: int | str | None = None,
        missing_ok: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.include = self._checked("include", include, partial(_patterns, "include"))
        self.exclude = self._checked("exclude", exclude, partial(_patterns, "exclude"))
        self.newer_than = self._checked("newer_than", newer_than, partial(_moment, "newer_than"))
        self.older_than = self._checked("older_than", older_than, partial(_moment, "older_than"))
        self.min_size = self._checked("min_size", min_size, partial(_least, "min_size"))
        self.max_size = self._checked("max_size", max_size, partial(read_size, "max_size"))
        self.missing_ok = self._flag("missing_ok", missing_ok)
        # Arguments without a template must not contradict each other.
        FileFilter.of(**{name: value for name, value in self._filters().items() if not is_rendered_later(value)})

    def _check_rendered(self) -> None:
        super()._check_rendered()
        FileFilter.of(**self._filters())

    def _filters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FILTERS}

    def _selection(self) -> dict[str, Any]:
        """Return which files the hook works on."""
        return {**self._filters(), "missing_ok": self.missing_ok}


class QuatrixPlacingOperator(QuatrixSelectingOperator):
    """Base of the operators that put files into places.

    :param keep_structure: files that match a pattern keep their folders, below the last one ahead of its first
        wildcard.
    :param on_error: when a file fails, ``fail`` at once, or ``continue`` with the others and fail at the end.
    """

    def __init__(self, *, keep_structure: bool | str = False, on_error: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_error = self._checked("on_error", on_error, read_on_error)
        self.keep_structure = self._flag("keep_structure", keep_structure)

    def _selection(self) -> dict[str, Any]:
        return {**super()._selection(), "keep_structure": self.keep_structure, "on_error": self.on_error}


def _patterns(name: str, value: object) -> list[str] | None:
    return None if value is None else ["/".join(parts) for parts in read_patterns(name, value)]


def _moment(name: str, value: Any) -> Any:
    # The hook parses it again, so that a timedelta counts from the time of the run.
    return None if read_moment(name, value) is None else value


def _least(name: str, value: object) -> int:
    return read_size(name, value) or 0
