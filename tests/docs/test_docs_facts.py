"""What README and docs claim is so."""

from __future__ import annotations

import inspect
import re
import textwrap
from importlib import import_module
from typing import TYPE_CHECKING, Any

import markdown_pages as markdown
import pytest

from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem
from airflow_provider_quatrix.get_provider_info import get_provider_info
from airflow_provider_quatrix.hooks.connection import EXTRA_FIELDS

if TYPE_CHECKING:
    from pathlib import Path

README = markdown.ROOT / "README.md"
CONNECTION, OPERATORS, SESSIONS = (
    markdown.ROOT / "docs" / f"{name}.md" for name in ("connection", "operators", "sessions")
)
# More does not fit on what a reader takes in at once.
LINES_OF_THE_README = 100


def public_classes() -> dict[str, type]:
    """The operators and sensors that the provider announces."""
    info = get_provider_info()
    modules = [import_module(name) for kind in ("operators", "sensors") for name in info[kind][0]["python-modules"]]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
    }


CLASSES = public_classes()


@pytest.mark.parametrize("page", markdown.PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in markdown.links(page):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(markdown.ROOT), target
        if anchor:
            assert anchor in markdown.anchors(file), target


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {(README.parent / target.partition("#")[0]).resolve() for target in markdown.links(README)}
    assert set(markdown.PAGES) - {README} <= reached


def test_the_readme_is_short_and_names_what_a_first_look_needs() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= LINES_OF_THE_README
    assert {"docs/images/grid.png", "docs/images/emulator.png"} <= set(markdown.links(README))
    assert all(command in text for command in ("make demo", "make test", "make up"))


@pytest.mark.parametrize("page", markdown.PAGES, ids=lambda page: page.name)
def test_nobody_is_sent_to_an_index_that_does_not_have_the_package(page: Path) -> None:
    assert not re.search(r"pip install \S*airflow-provider-quatrix", page.read_text())


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    measured = {
        (rows[0][0], row[0], row[1]): row[2]
        for rows in markdown.tables(markdown.ROOT / "docs" / "benchmarks.md")
        for row in rows[1:]
    }
    ours, theirs = "QuatrixHook, shared session", "HttpHook, sign-in in each task"
    logins, failed = ("Figure", "Logins"), ("Figure", "Tasks that failed")
    looks = ("Figure", "API calls per interval")
    assert measured[*failed, ours] == "0"
    assert [row[1:] for row in markdown.tables(README)[1][1:]] == [
        [
            f"{measured[*logins, ours]} login, no task fails",
            f"{measured[*logins, theirs]} logins, {measured[*failed, theirs]} tasks fail",
        ],
        [
            f"{measured[*looks, 'QuatrixCaptchaSensor']} call per interval",
            f"{measured[*looks, 'HttpSensor, deferrable']} calls per interval",
        ],
    ]


def test_the_connection_page_names_the_standard_fields() -> None:
    named = [name for row in markdown.table_with(CONNECTION, "Field") for name in markdown.names_in(row[0])]
    assert named == ["host", "port", "login", "password", "schema"]


def test_the_connection_page_names_the_fields_and_their_defaults() -> None:
    rows = markdown.table_with(CONNECTION, "Extra")
    stated = {name: row[1].strip("`") for row in rows for name in markdown.names_in(row[0])}
    assert stated == {field.name: "" if field.default is None else str(field.default) for field in EXTRA_FIELDS}
    secret = {name for row in rows if "Secret" in row[2] for name in markdown.names_in(row[0])}
    assert secret == {field.name for field in EXTRA_FIELDS if field.secret}


def own_arguments(cls: type) -> dict[str, Any]:
    """The arguments of a class and those of its parents that this package adds, with their defaults."""
    return {
        name: parameter.default
        for each in reversed(cls.__mro__)
        if each.__module__.startswith("airflow_provider_quatrix")
        for name, parameter in inspect.signature(vars(each).get("__init__", lambda: None)).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "quatrix_conn_id"
    }


def test_the_catalogue_names_the_classes_and_their_arguments() -> None:
    stated = {
        name: markdown.names_in(row[2])
        for row in markdown.table_with(OPERATORS, "Class")
        for name in markdown.names_in(row[0])
    }
    assert set(stated) == set(CLASSES)
    for name, arguments in stated.items():
        # Airflow's own argument, to which the sensor gives no new meaning.
        assert arguments - {"timeout"} == set(own_arguments(CLASSES[name]))


def sections() -> dict[str, str]:
    """The sections of all docs pages by their titles."""
    found = {}
    for page in markdown.PAGES:
        parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_the_docs_name_arguments_and_defaults(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", sections()[name], re.MULTILINE)
    arguments = own_arguments(CLASSES[name])
    assert {argument for argument, _ in rows} - {"timeout"} == set(arguments)
    for argument, stated in rows:
        assert stated == written(argument, arguments.get(argument)), argument


def written(argument: str, default: Any) -> str:
    """How the page writes an argument's default."""
    if argument in ("deferrable", "timeout"):
        return "Airflow's"
    if default is inspect.Parameter.empty:
        return "required"
    if default is None:
        return "none"
    return f"`{default}`" if isinstance(default, bool | str) else f"{default:g}"


def test_the_object_storage_page_names_the_options() -> None:
    rows = markdown.table_with(markdown.ROOT / "docs" / "object-storage.md", "Option of the file system")
    _, *parameters = inspect.signature(QuatrixFileSystem.__init__).parameters.values()
    known = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    assert [name for row in rows for name in markdown.names_in(row[0])] == known


def test_the_sessions_page_names_the_settings() -> None:
    rows = markdown.table_with(SESSIONS, "Option")
    options = get_provider_info()["config"]["quatrix"]["options"]
    stated = {name: row[1].strip("`").replace("empty", "") for row in rows for name in markdown.names_in(row[0])}
    assert stated == {name: option["default"] for name, option in options.items()}


def example(path: Path, marker: str) -> str:
    _, _, rest = path.read_text().partition(f"[START {marker}]\n")
    text, end, _ = rest.partition(f"# [END {marker}]")
    assert end, f"{marker} is not in {path.name}"
    return textwrap.dedent(text.rpartition("\n")[0]).strip("\n") + "\n"


@pytest.mark.parametrize("page", markdown.PAGES, ids=lambda page: page.name)
def test_examples_are_those_of_the_dags(page: Path) -> None:
    for block in markdown.code_blocks(page):
        if block.note and not markdown.is_file(block):
            path, marker = block.note.split()
            assert block.text == example(markdown.ROOT / path, marker)


def test_every_example_is_in_the_docs() -> None:
    blocks = [block for page in markdown.PAGES for block in markdown.code_blocks(page)]
    quoted = {block.note.split()[1] for block in blocks if block.note and not markdown.is_file(block)}
    marked = {
        marker
        for dag in (markdown.ROOT / "dags").glob("*.py")
        for marker in re.findall(r"\[START (\w+)\]", dag.read_text())
    }
    assert quoted == marked


def test_all_python_parses() -> None:
    for page in markdown.PAGES:
        for block in markdown.code_blocks(page):
            if block.language == "python":
                compile(block.text, page.name, "exec")
