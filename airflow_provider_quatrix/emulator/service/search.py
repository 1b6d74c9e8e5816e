"""Whether an object matches a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .tree import Node

FIELDS = ("name", "created", "modified", "tag")


def matches(node: Node, query: Mapping[str, Any]) -> bool:
    """Compare an object with a query: all of ``_and``, and one of ``_or``.

    :raises ApiError: 400 for a query of another form.
    """
    return _combine(query, lambda part: _matches_fields(node, part), "body")


def _combine(query: object, test: Callable[[Any], bool], name: str) -> bool:
    if not isinstance(query, dict):
        raise bad_parameter(name, "is not an object")
    parts = [query.get(key) or [] for key in ("_and", "_or")]
    if not all(isinstance(part, list) for part in parts):
        raise bad_parameter(name, "must have lists as '_and' and '_or'")
    every, some = parts
    return all(test(part) for part in every) and (not some or any(test(part) for part in some))


def _matches_fields(node: Node, part: object) -> bool:
    if not isinstance(part, dict) or not set(part) <= set(FIELDS):
        raise bad_parameter("query", f"may have {', '.join(FIELDS)}")
    return all(_matches_field(node, field, part[field]) for field in part)


def _matches_field(node: Node, field: str, query: Any) -> bool:
    if field == "name":
        return _combine(query, lambda word: _text(word).casefold() in node.name.casefold(), field)
    if field == "tag":
        return _combine(query, lambda tag: _has_tag(node, tag), field)
    time = node.created if field == "created" else node.modified
    if isinstance(query, dict) and isinstance(query.get("_and"), list) and len(query["_and"]) == 2:
        first, last = (_time(value) for value in query["_and"])
        return first <= time <= last and _combine({**query, "_and": []}, lambda at: int(time) == _time(at), field)
    return _combine(query, lambda at: int(time) == _time(at), field)


def _has_tag(node: Node, tag: object) -> bool:
    if not isinstance(tag, dict):
        raise bad_parameter("tag", "is not an object")
    wanted = (_text(tag.get("type")), _text(tag.get("value")))
    return any(wanted == (kind, value) for _, kind, value in node.tags)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise bad_parameter("query", "contains something that is not a text")
    return value


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_parameter("query", "contains something that is not a time")
    return int(value)
