"""Paths and patterns: which text is a pattern, which is a name, and what a pattern matches."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self, TypeGuard

from airflow_provider_quatrix.api.paths import InvalidPathError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WILDCARDS = ("*", "?", "[")
_WILDCARDS = re.compile(r"[*?\[]")
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\[([*?\[])\]")


def has_wildcards(path: str) -> bool:
    """Return whether a text contains wildcards."""
    return _WILDCARDS.search(path) is not None


def escape(text: str) -> str:
    """Return the pattern that matches a text and nothing else."""
    return _WILDCARDS.sub(r"[\g<0>]", text)


def only_name(pattern: str) -> str | None:
    """Return the one name that a part of a pattern matches; ``None`` if it may match several."""
    name = _ESCAPED.sub(r"\1", pattern)
    return name if escape(name) == pattern else None


def fixed_names(pattern: Sequence[str]) -> tuple[str, ...]:
    """Return the names ahead of the first wildcard, but never the last one: the folders that every match is in."""
    fixed: list[str] = []
    for part in pattern[:-1]:
        name = only_name(part)
        if name is None:
            break
        fixed.append(name)
    return tuple(fixed)


def matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a path matches a pattern, name by name.

    A name that looks like a part of the pattern matches it too: ``c[1].csv`` matches ``c1.csv`` and ``c[1].csv``.

    :param pattern: its parts; ``*``, ``?`` and ``[...]`` stay within a name, ``**`` stands for any names.
    :return: ``True`` if all of it matches.
    """
    return len(pattern) in _reached(names, pattern)


def leads_to_matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether something below a folder may match a pattern.

    :param pattern: see :func:`matches`.
    """
    return any(at < len(pattern) for at in _reached(names, pattern))


def _reached(names: Sequence[str], pattern: Sequence[str]) -> set[int]:
    """Return how many parts of a pattern the names can match."""
    reached = _past_any({0}, pattern)
    for name in names:
        stayed = {at for at in reached if at < len(pattern) and pattern[at] == "**"}
        passed = {at + 1 for at in reached - stayed if at < len(pattern) and _fits(name, pattern[at])}
        reached = _past_any(stayed | passed, pattern)
    return reached


def _past_any(reached: set[int], pattern: Sequence[str]) -> set[int]:
    """Add what is reached if ``**`` stands for no name."""
    for at in sorted(reached):
        following = at
        while following < len(pattern) and pattern[following] == "**":
            following += 1
            reached.add(following)
    return reached


def _fits(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(name, part) or (name == part and not _ESCAPED.search(part))


@dataclass(frozen=True)
class Source:
    """A path or a pattern.

    :param text: path, or pattern.
    :param is_pattern: whether it is a pattern.
    """

    text: str
    is_pattern: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the path, or the parts of the pattern."""
        return tuple(part for part in self.text.split("/") if part)


@dataclass(frozen=True)
class Sources:
    """The paths and patterns that a call was given.

    :param all: paths and patterns.
    :param many: a list was given, of any length.
    """

    all: tuple[Source, ...]
    many: bool = False

    def __iter__(self) -> Iterator[Source]:
        return iter(self.all)

    @property
    def single(self) -> bool:
        """Whether one path was given, which stands for one file or folder."""
        return not self.many and not self.all[0].is_pattern

    @property
    def into_folder(self) -> bool:
        """Whether the target is a folder, even if it does not end in a slash."""
        return not self.single

    @property
    def described(self) -> tuple[str, ...]:
        """The same for the same sources, to distinguish calls."""
        return tuple(f"{'pattern' if source.is_pattern else 'path'} {source.text}" for source in self.all)

    @classmethod
    def of(cls, value: object, *, glob: bool | None = None, name: str = "source", urls: bool = False) -> Self:
        """Check and convert what was given.

        :param value: text, a path, or an earlier result: a mapping with ``path`` or an object with such an attribute;
            or several of them.
        :param glob: whether text is a pattern; ``None``: if it contains wildcards. Results are names in any case.
        :param name: the argument's name, for errors.
        :param urls: accept URLs too.
        :raises InvalidPathError: there is no path in it.
        """
        if is_several(value):
            return cls(tuple(_source(each, glob, name, urls=urls) for each in _flat(value)), many=True)
        return cls((_source(value, glob, name, urls=urls),))


def is_several(value: object) -> TypeGuard[Iterable[Any]]:
    """Return whether a value contains several paths, and is not one itself."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | PathLike | Mapping)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if is_several(value):
            yield from _flat(value)
        else:
            yield value


def _source(value: object, glob: bool | None, name: str, *, urls: bool) -> Source:
    if isinstance(value, str | PathLike):
        text = _text(fspath(value), name, urls=urls)
        return Source(text, has_wildcards(text) if glob is None else glob)
    return Source(path_of(value, name, urls=urls))


def path_of(value: object, name: str, *, urls: bool = False) -> str:
    """Return the path in a text, a path or an earlier result.

    :param name: the argument's name, for errors.
    :param urls: accept a URL too.
    :raises InvalidPathError: there is no path in it.
    """
    if isinstance(value, str | PathLike):
        return _text(fspath(value), name, urls=urls)
    if isinstance(value, Mapping) and value.get("summary") is True:
        raise InvalidPathError(
            f"{name} is the summary of {value.get('files')} files, without their paths: set results='all' in the task "
            "that made it"
        )
    path = value.get("path") if isinstance(value, Mapping) else getattr(value, "path", None)
    if not isinstance(path, str):
        raise InvalidPathError(f"{name} is {value!r}: give a path as text, or a result that has one")
    return _text(path, name, urls=urls)


def check_no_url(text: str, name: str) -> None:
    """Check that a path does not look like a URL.

    :param name: the argument's name, for errors.
    :raises InvalidPathError: it is a URL.
    """
    url = _URL.fullmatch(text)
    if url is None:
        return
    if url[1] != "quatrix":
        raise InvalidPathError(f"{name} is {text!r}: give a path, or use QuatrixTransferOperator, which takes URLs")
    conn_id, _, rest = url[2].partition("/")
    conn_id = conn_id.rstrip("@")
    raise InvalidPathError(
        f"{name} is {text!r}: give the path alone, '/{rest}'"
        + (f", and the connection as quatrix_conn_id={conn_id!r}" if conn_id else "")
    )


def _text(text: object, name: str, *, urls: bool) -> str:
    if not isinstance(text, str):
        raise InvalidPathError(f"{name} is {text!r}: give a path as text")
    if not text:
        raise InvalidPathError(f"{name} is empty: give a path")
    if not urls:
        check_no_url(text, name)
    return text
