"""The hook's page names every public method as it is, and its samples run."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import markdown_pages as markdown
import pytest

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.transfer import results
from airflow_provider_quatrix.transfer.filters import FilterArguments, SelectionArguments

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

PAGE = markdown.ROOT / "docs" / "hook.md"
BLOCKS = markdown.code_blocks(PAGE)
SAMPLES = "\n".join(block.text for block in BLOCKS if block.language == "python")
# Airflow itself and the commands call these.
OF_AIRFLOW = {"get_connection_form_widgets", "get_ui_field_behaviour", "test_connection", "trial"}


def own_methods() -> dict[str, Any]:
    return {
        name: getattr(QuatrixHook, name)
        for cls in QuatrixHook.__mro__
        if cls.__module__.startswith("airflow_provider_quatrix")
        for name in vars(cls)
        if not name.startswith("_") and callable(getattr(QuatrixHook, name))
    }


def signature(name: str) -> str:
    """A method as the page writes it, without blanks."""
    parts, stars = [], False
    given = inspect.signature(getattr(QuatrixHook, name))
    for parameter in given.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not stars:
            parts.append("*")
            stars = True
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        star = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        parts.append(f"{star}{parameter.name}: {parameter.annotation}{default}")
    return squeezed(f"{name}({', '.join(parts)}) -> {given.return_annotation}")


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text).replace("'", '"').replace(",)", ")")


def test_every_public_method_is_there_with_its_signature() -> None:
    stated = sorted(squeezed(block.text) for block in BLOCKS if block.language == "text")
    assert stated == sorted(map(signature, own_methods()))


def test_every_method_has_an_example() -> None:
    assert [name for name in own_methods() if name not in OF_AIRFLOW and f"hook.{name}(" not in SAMPLES] == []


def test_no_method_shows_what_is_for_operators_only() -> None:
    private = {"resume_key", "is_retry", "last_try"}
    assert not private & {name for method in own_methods().values() for name in inspect.signature(method).parameters}


def test_the_samples_run_one_after_the_other(
    quatrix_connection: QuatrixConnection, airflow_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(SAMPLES, str(PAGE), "exec"), {})  # noqa: S102 - the page's own text


def test_the_members_of_the_results_are_named() -> None:
    rows = {next(iter(markdown.names_in(row[0]))): row[1] for row in markdown.table_with(PAGE, "Result")}
    rows["MoveResult"], rows["TransferredFile"] = rows["MoveResults"], rows["Transfers"]
    rows["SearchResult"] += rows["FileResult"]
    kinds = [
        kind
        for kind in vars(results).values()
        if isinstance(kind, type) and issubclass(kind, results.Result) and kind is not results.Result
    ]
    assert {kind.__name__ for kind in kinds} <= rows.keys()
    for kind in kinds:
        assert set(kind.__annotations__) <= markdown.names_in(rows[kind.__name__]), kind


@pytest.mark.parametrize("arguments", [FilterArguments, SelectionArguments])
def test_further_arguments_are_named(arguments: type) -> None:
    rows = markdown.table_with(PAGE, "Type")
    named = set().union(*(markdown.names_in(row[1]) for row in rows))
    assert set(arguments.__annotations__) <= named
