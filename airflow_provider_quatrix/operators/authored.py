"""Distinguishes the patterns of a DAG's author from names that come from templates and earlier results.

The name of a file may contain anything, also ``*``, and must not become a pattern. So wildcards count only where the
author wrote them: in text, outside of what a template inserts.
"""

from __future__ import annotations

import ast
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Between tokens of these kinds, a template's text stands as it is.
_DATA = "data"


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


def sources(authored: Any, rendered: Any, templates: Templates, glob: bool | None = None) -> Any:
    """Return a rendered argument in which text may be a pattern, and mappings contain names.

    :param authored: from :func:`written`.
    :param rendered: the argument as Airflow rendered it.
    :param templates: renders the author's patterns again, with wildcards in inserted values escaped.
    :param glob: whether text is a pattern; ``None``: if its author wrote wildcards.
    :return: texts, mappings with ``path``, or lists of them; anything else as it was.
    """
    if isinstance(authored, list) and isinstance(rendered, list | tuple) and len(authored) == len(rendered):
        return [sources(*pair, templates, glob) for pair in zip(authored, rendered, strict=True)]
    if not isinstance(authored, str):
        is_path = isinstance(authored, PathLike) and authored == rendered
        return _text(fspath(rendered), glob) if is_path else _found(rendered, glob)
    return _of_text(authored, rendered, templates, glob)


def _of_text(authored: str, rendered: Any, templates: Templates, glob: bool | None) -> Any:
    tokens = list(templates.lex(authored))
    own = "".join(text for _, kind, text in tokens if kind == _DATA)
    if own == authored == rendered:
        return _text(authored, glob)
    if not own.strip():
        return _found(_read(rendered), glob)
    if glob is None and _has_wildcards(own):
        return _pattern(tokens, templates)
    return _found(rendered, glob)


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


def _text(text: str, glob: bool | None) -> Any:
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


def _has_wildcards(text: str) -> bool:
    from airflow_provider_quatrix.transfer.patterns import has_wildcards

    return has_wildcards(text)


def _pattern(tokens: list[tuple[int, str, str]], templates: Templates) -> Any:
    """Render a template again with marks instead of its author's wildcards; then turn only the marks into wildcards."""
    from airflow_provider_quatrix.transfer.patterns import WILDCARDS, escape

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
