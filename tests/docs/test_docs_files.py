"""What the page about files claims is so."""

from __future__ import annotations

import inspect
import re
from typing import Any

import markdown_pages as markdown
import pytest

from airflow_provider_quatrix.operators import base, files
from airflow_provider_quatrix.operators.cleanup import QuatrixCleanupOperator
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

PAGE = markdown.ROOT / "docs" / "files.md"
CLASSES = {
    each.__name__: each
    for each in (
        files.QuatrixUploadOperator,
        files.QuatrixDownloadOperator,
        files.QuatrixListOperator,
        files.QuatrixMoveOperator,
        files.QuatrixCopyOperator,
        files.QuatrixDeleteOperator,
        files.QuatrixMakeDirectoryOperator,
        QuatrixCleanupOperator,
        QuatrixFileSensor,
    )
}
PARTS = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
SECTIONS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))


def defaults(cls: type) -> dict[str, Any]:
    """The arguments that this package adds, with their defaults; a class's own go ahead of its parents'."""
    found: dict[str, Any] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.startswith("airflow_provider_quatrix") and "__init__" in vars(each):
            for name, parameter in inspect.signature(vars(each)["__init__"]).parameters.items():
                if parameter.kind is parameter.KEYWORD_ONLY and name != "quatrix_conn_id":
                    found[name] = parameter.default
    return found


def written(argument: str, default: Any) -> str:
    """How the page writes an argument's default."""
    if argument in ("deferrable", "timeout"):
        return "Airflow's"
    if default is inspect.Parameter.empty:
        return "required"
    if default is None:
        return "none"
    return f"`{default}`" if isinstance(default, bool | str) else f"{default:g}"


def test_there_is_a_section_for_everything() -> None:
    assert list(SECTIONS) == [*CLASSES, "@task.quatrix_file_sensor"]
    assert all("<!-- dags/" in section for section in SECTIONS.values())


@pytest.mark.parametrize("name", CLASSES)
def test_each_section_names_arguments_and_defaults(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", SECTIONS[name], re.MULTILINE)
    arguments = defaults(CLASSES[name])
    assert {argument for argument, _ in rows} - {"timeout"} == set(arguments)
    for argument, stated in rows:
        assert stated == written(argument, arguments.get(argument)), argument


def test_the_page_names_the_modes() -> None:
    assert tuple(re.findall(r"^\| `(fail|skip|overwrite|rename)` \|", PAGE.read_text(), re.MULTILINE)) == base.MODES
