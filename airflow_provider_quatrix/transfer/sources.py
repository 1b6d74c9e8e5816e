"""Paths and patterns as they are given: which text is a pattern, and which a name.

The name of a file may contain anything, also ``*``, and must not become a pattern. So in an operator's argument,
wildcards count only where the DAG's author wrote them: in text, outside of what a template inserts.
"""

from __future__ import annotations

import ast
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self, TypeGuard

from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.patterns import WILDCARDS, escape, has_wildcards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL)
# Jinja's name for tokens that are the text between expressions.
_DATA = "data"


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


@dataclass(frozen=True)
class Templates:
    """How templates are read and rendered.

    :param lex: splits a template into tokens: ``(line, kind, text)`` of each.
    """

    lex: Callable[[str], Iterable[tuple[int, str, str]]]
    render: Callable[[str], Any]


def written(value: Any) -> Any:
    """Return what the author of a DAG wrote as text in an argument, before it is rendered.

    :return: texts and lists of them; ``None`` for everything else, which will be a result once it is rendered.
    """
    if isinstance(value, list | tuple):
        return [written(each) for each in value]
    return value if isinstance(value, str | PathLike) else None


def names_and_patterns(authored: Any, rendered: Any, templates: Templates, glob: bool | None = None) -> Any:
    """Return a rendered argument in which text may be a pattern, and mappings contain names.

    :param authored: from :func:`written`.
    :param rendered: the argument as Airflow rendered it.
    :param templates: renders the author's patterns again, with wildcards in inserted values escaped.
    :param glob: whether text is a pattern; ``None``: if its author wrote wildcards.
    :return: texts, mappings with ``path``, or lists of them; anything else as it was.
    """
    if isinstance(authored, list) and isinstance(rendered, list | tuple) and len(authored) == len(rendered):
        return [names_and_patterns(*pair, templates, glob) for pair in zip(authored, rendered, strict=True)]
    if not isinstance(authored, str):
        is_path = isinstance(authored, PathLike) and authored == rendered
        return _own_text(fspath(rendered), glob) if is_path else _found(rendered, glob)
    return _of_text(authored, rendered, templates, glob)


def _of_text(authored: str, rendered: Any, templates: Templates, glob: bool | None) -> Any:
    tokens = list(templates.lex(authored))
    own = "".join(text for _, kind, text in tokens if kind == _DATA)
    if own == authored == rendered:
        return _own_text(authored, glob)
    if not own.strip():
        return _found(_read(rendered), glob)
    if glob is None and has_wildcards(own):
        return _pattern(tokens, templates)
    return _found(rendered, glob)


def _own_text(text: str, glob: bool | None) -> Any:
    return {"path": text} if glob is False else text


def _found(value: Any, glob: bool | None) -> Any:
    """Turn each text that the author did not write into a mapping, so that it is a name."""
    if glob:
        return value
    if isinstance(value, str | PathLike):
        return {"path": fspath(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_found(each, glob) for each in value]
    return value


def _read(rendered: Any) -> Any:
    """Return the results that a template rendered as text, such as ``[{'path': '/in/a.csv'}]``; else the text."""
    if isinstance(rendered, str) and rendered.strip()[:1] in ("[", "{", "("):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                value = read(rendered.strip())
                if _is_result(value):
                    return value
    return rendered


def _is_result(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(each, str) or _is_result(each) for each in value)
    return isinstance(value, Mapping) and (isinstance(value.get("path"), str) or value.get("summary") is True)


def _pattern(tokens: list[tuple[int, str, str]], templates: Templates) -> Any:
    """Render a template again with marks instead of its author's wildcards; then turn only the marks into wildcards."""
    # Nobody who chooses a file's name can guess the marks. They are digits, which no filter of a template changes.
    marks = {wildcard: f"\ue000{secrets.randbelow(10**18):018}\ue001" for wildcard in WILDCARDS}
    marked = "".join(_replaced(text, marks) if kind == _DATA else text for _, kind, text in tokens)
    rendered = templates.render(marked)
    if not isinstance(rendered, str):
        return _found(rendered, None)
    return _replaced(escape(rendered), {mark: wildcard for wildcard, mark in marks.items()})


def _replaced(text: str, by: Mapping[str, str]) -> str:
    for old, new in by.items():
        text = text.replace(old, new)
    return text
