"""Which of the files of paths and patterns are worked on; light enough for DAGs that are being parsed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self, TypedDict

from airflow_provider_quatrix.transfer.patterns import leads_to_matches, matches
from airflow_provider_quatrix.transfer.sources import is_several

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Patterns = str | PathLike[str] | Iterable[str | PathLike[str]]
    # A moment, or how long before now it was.
    Moment = datetime | timedelta | str


class FilterArguments(TypedDict, total=False):
    """Arguments that say which files to take; :meth:`FileFilter.of` describes each."""

    include: Patterns | None
    exclude: Patterns | None
    newer_than: Moment | None
    older_than: Moment | None
    min_size: int
    max_size: int | None


@dataclass(frozen=True)
class FileFilter:
    """Decides by name, size and time whether a file is taken.

    :param include: patterns; a file has to match one of them. None for all files.
    :param exclude: patterns; a file must match none of them.
    :param newer_than: only files modified after this: Unix time, or how long before now.
    :param older_than: only files modified before this, in the same forms.
    :param min_size: bytes.
    :param max_size: bytes; ``None`` for no limit.
    """

    include: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[tuple[str, ...], ...] = ()
    newer_than: float | timedelta | None = None
    older_than: float | timedelta | None = None
    min_size: int = 0
    max_size: int | None = None

    @classmethod
    def of(
        cls,
        *,
        include: Patterns | None = None,
        exclude: Patterns | None = None,
        newer_than: Moment | None = None,
        older_than: Moment | None = None,
        min_size: int = 0,
        max_size: int | None = None,
    ) -> Self:
        """Check what a user gives.

        :param include: one pattern or several: only files that match one of them. A pattern without a slash is matched
            against the file's name. One with a slash is matched against the path below the source folder; if the source
            is a pattern, below the last folder ahead of its first wildcard.
        :param exclude: one pattern or several: no files that match one of them. ``tmp/**`` leaves out a folder.
        :param newer_than: only files modified after this: a datetime with a time zone, ISO 8601 text, or a timedelta
            before now.
        :param older_than: only files modified before this.
        :param min_size: only files of at least so many bytes.
        :param max_size: only files of at most so many bytes.
        :raises ValueError: one of them is invalid, or no file could pass.
        """
        made = cls(
            read_patterns("include", include),
            read_patterns("exclude", exclude),
            read_moment("newer_than", newer_than),
            read_moment("older_than", older_than),
            read_size("min_size", min_size) or 0,
            read_size("max_size", max_size),
        )
        made._check_possible({"newer_than": newer_than, "older_than": older_than})
        return made

    def _check_possible(self, given: Mapping[str, Any]) -> None:
        if self.max_size is not None and self.min_size > self.max_size:
            raise ValueError(
                f"min_size is {self.min_size} and max_size is {self.max_size}: no file has both. Give a min_size that "
                "is not above max_size"
            )
        newer, older = self.newer_than, self.older_than
        if isinstance(newer, timedelta) and isinstance(older, timedelta):
            is_possible = newer > older
        elif isinstance(newer, float) and isinstance(older, float):
            is_possible = newer < older
        else:
            is_possible = True
        if not is_possible:
            raise ValueError(
                f"newer_than is {_as_text(given['newer_than'])} and older_than is {_as_text(given['older_than'])}: no "
                "file is both. Give a newer_than that is the earlier moment"
            )

    @property
    def is_active(self) -> bool:
        """Whether the filter leaves out any file."""
        return self != type(self)()

    @property
    def needs_metadata(self) -> bool:
        """Whether it uses size or time of a file."""
        return self.is_active and self != type(self)(self.include, self.exclude)

    def may_hold(self, names: Sequence[str]) -> bool:
        """Return whether a folder may contain files that pass.

        :param names: of the folder, below the source.
        """
        if any(pattern[-1] == "**" and matches(names, pattern) for pattern in self.exclude):
            return False
        return not self.include or any(
            len(pattern) == 1 or leads_to_matches(names, pattern) for pattern in self.include
        )

    def takes_name(self, names: Sequence[str]) -> bool:
        """Return whether the name of a file passes.

        :param names: of the file, below the source.
        """
        if self.include and not _is_among(names, self.include):
            return False
        return not _is_among(names, self.exclude)

    def takes(self, names: Sequence[str], size: int, modified: float, now: float) -> bool:
        """Return whether a file passes.

        :param names: of the file, below the source.
        :param size: bytes.
        :param modified: Unix time.
        :param now: Unix time, by the clock of the host that has the file.
        """
        newer, older = _unix_time(self.newer_than, now), _unix_time(self.older_than, now)
        return (
            self.takes_name(names)
            and size >= self.min_size
            and (self.max_size is None or size <= self.max_size)
            and (newer is None or modified > newer)
            and (older is None or modified < older)
        )


def _is_among(names: Sequence[str], patterns: Sequence[Sequence[str]]) -> bool:
    return any(matches(names[-1:] if len(pattern) == 1 else names, pattern) for pattern in patterns)


def _unix_time(moment: float | timedelta | None, now: float) -> float | None:
    return now - moment.total_seconds() if isinstance(moment, timedelta) else moment


def _as_text(moment: object) -> str:
    return str(moment) if isinstance(moment, timedelta) else repr(moment)


def read_patterns(name: str, value: object) -> tuple[tuple[str, ...], ...]:
    """Return patterns, split into parts.

    :param value: one pattern or several; ``None`` for none.
    :raises ValueError: something else is among them, or ``include`` is empty.
    """
    if value is None:
        return ()
    given = list(value) if is_several(value) else [value]
    if not given and name == "include":
        raise ValueError("include is empty, so that no file would be taken: give a pattern, or None for all files")
    patterns = []
    for each in given:
        text = fspath(each) if isinstance(each, PathLike) else each
        parts = tuple(part for part in text.split("/") if part) if isinstance(text, str) else ()
        if not parts:
            raise ValueError(f"{name} contains {each!r}: give a pattern as text, such as '*.csv' or 'archive/**'")
        patterns.append(parts)
    return tuple(patterns)


def read_moment(name: str, value: object) -> float | timedelta | None:
    """Return a time as Unix time, or how long before now it is.

    :param value: a datetime with a time zone, ISO 8601 text, or a timedelta. ``None``, also as the text of a template,
        means no limit.
    :raises ValueError: it is none of these.
    """
    if value is None or value in ("", "None"):
        return None
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise ValueError(f"{name} is {value}, in the future: give a timedelta of 0 or more, which is before now")
        return value
    return read_instant(name, value, ", or a timedelta before now")


def read_instant(name: str, value: object, otherwise: str = "") -> float:
    """Return a moment as Unix time.

    :param value: a datetime with a time zone, or ISO 8601 text.
    :param otherwise: what else may be given, for the error.
    :raises ValueError: it is neither.
    """
    try:
        if not isinstance(value, datetime | str):
            raise ValueError  # noqa: TRY004, TRY301 - one class for all wrong arguments
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"{name} is {value!r}: give a datetime, text in ISO 8601 such as 2026-07-01T00:00:00Z{otherwise}"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"{name} is {value!r}, without a time zone: add one, such as 2026-07-01T00:00:00Z")
    return moment.timestamp()


def read_size(name: str, value: object) -> int | None:
    """Return a number of bytes.

    :param value: the number; ``None`` for no limit.
    :raises ValueError: it is not one.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}: give a number of bytes, 0 or more")
    return value


def read_seconds(name: str, value: object, least: float = 0) -> float:
    """Return a number of seconds.

    :param value: the number, or a timedelta.
    :param least: the smallest allowed.
    :raises ValueError: it is not a number, too small, or infinite.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds < float("inf"):
        raise ValueError(f"{name} is {value!r}: give a number of seconds, {least:g} or more")
    return float(seconds)


def read_on_error(value: Any) -> str:
    """Return what to do when a file fails.

    :param value: ``fail`` or ``continue``.
    :raises ValueError: it is neither.
    """
    if value not in ("fail", "continue"):
        raise ValueError(f"on_error is {value!r}: give 'fail' or 'continue'")
    return str(value)


class SelectionArguments(FilterArguments, total=False):
    """Arguments that say which files of the sources are worked on; :meth:`Selection.of` describes each."""

    keep_structure: bool
    missing_ok: bool
    on_error: str


@dataclass(frozen=True)
class Selection:
    """Which files of the sources of a call are worked on.

    :param files: which files pass.
    :param keep_structure: files that match a pattern keep their folders, below the last one ahead of its first
        wildcard, and missing folders are made. Otherwise the files go into the target by name.
    :param missing_ok: a path that does not exist, or a pattern that matches nothing, is fine.
    :param on_error: when a file fails: ``fail`` at once, or ``continue`` with the others and fail at the end. Sources
        that are found missing or unreadable before the first file is worked on fail in any case.
    """

    files: FileFilter = FileFilter()
    keep_structure: bool = False
    missing_ok: bool = False
    on_error: str = "fail"

    @classmethod
    def of(
        cls, *, keep_structure: bool = False, missing_ok: bool = False, on_error: str = "fail", **filters: Any
    ) -> Self:
        """Check what a user gives.

        :param keep_structure: see :class:`Selection`.
        :param missing_ok: see :class:`Selection`.
        :param on_error: see :class:`Selection`.
        :param filters: see :meth:`FileFilter.of`.
        :raises ValueError: one of them is invalid.
        """
        return cls(FileFilter.of(**filters), keep_structure, missing_ok, read_on_error(on_error))


# All files.
ALL = Selection()
