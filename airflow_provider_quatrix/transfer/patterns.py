"""Patterns, and which paths they match."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WILDCARDS = ("*", "?", "[")
_WILDCARDS = re.compile(r"[*?\[]")
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
