"""Which text in an argument is a pattern of the DAG's author, and which a name that came from elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_quatrix.operators.base import expanded
from airflow_provider_quatrix.transfer.sources import Templates, names_and_patterns, written

HOSTILE = "*"
VALUES = {
    "ds": "2026-07-01",
    "star": HOSTILE,
    "odd": "[a-z]?*",
    "found": ["/in/*", "/in/b"],
    "dicts": [{"path": "/in/*", "size": 3, "skipped": False}],
    "one": {"path": "/in/*", "id": "1"},
    "nothing": [],
    "lookalike": "[1, 2]",
}


def result(argument: Any, *, native: bool = False, glob: bool | None = None) -> Any:
    """Render an argument as Airflow does, and tell what of it is what."""
    environment = NativeEnvironment() if native else Environment(autoescape=False)  # noqa: S701 - paths, no HTML

    def render(text: str) -> Any:
        return environment.from_string(text).render(VALUES)

    def rendered(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(rendered(each) for each in value)
        return render(value) if isinstance(value, str) else value() if callable(value) else value

    return names_and_patterns(written(argument), rendered(argument), Templates(environment.lex, render), glob)


def xcom(value: Any) -> Any:
    """Stands for a reference to an earlier result, which Airflow resolves when it renders."""
    return lambda: value


NAME = {"path": "/in/*"}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        # What the author wrote.
        ("/in/a.csv", "/in/a.csv"),
        ("/in/*.csv", "/in/*.csv"),
        (["/in/*", "/b"], ["/in/*", "/b"]),
        (("/in/*",), ["/in/*"]),
        (Path("/data/*"), "/data/*"),
        ("{# all #}/in/*", "/in/*"),
        ("/in/{{ ds }}/*.csv", "/in/2026-07-01/*.csv"),
        ("{% if ds %}/in/*{% else %}/out/*{% endif %}", "/in/*"),
        ("{% raw %}/in/*{% endraw %}/a", "/in/*/a"),
        ("{% filter upper %}/in/[ab]?{% endfilter %}", "/IN/[AB]?"),
        # What templates put in is a name, also within a pattern.
        ("/in/{{ star }}", {"path": "/in/*"}),
        ("/in/{{ star }}/?.csv", "/in/[*]/?.csv"),
        ("/in/{{ odd }}/**/*", "/in/[[]a-z][?][*]/**/*"),
        ("{{ star }}", {"path": "*"}),
        ("{{ '/in/*' }}", NAME),
        # A subscript within a template is no wildcard.
        ("{{ found[0] }}", NAME),
        ("/x{{ found[0] }}", {"path": "/x/in/*"}),
        # Results, whatever shape they have.
        (xcom("/in/*"), NAME),
        (xcom(["/in/*", "/b"]), [NAME, {"path": "/b"}]),
        (xcom([{"path": "/in/*"}]), [NAME]),
        (xcom([]), []),
        (xcom(None), None),
        ({"path": "/in/*"}, NAME),
        (["/out/*", xcom("/in/*"), {"path": "/in/*"}], ["/out/*", NAME, NAME]),
        # Results that a template turned into text.
        ("{{ found }}", [NAME, {"path": "/in/b"}]),
        (" {{ dicts }} ", [{"path": "/in/*", "size": 3, "skipped": False}]),
        ("{{ dicts | tojson }}", [{"path": "/in/*", "size": 3, "skipped": False}]),
        ("{{ one }}", {"path": "/in/*", "id": "1"}),
        ("{{ nothing }}", []),
    ],
)
@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_only_the_author_writes_patterns(argument: Any, expected: Any, native: bool) -> None:
    assert result(argument, native=native) == expected


def test_text_that_only_looks_like_a_result_stays_text() -> None:
    assert result("['/in/a.csv']") == "['/in/a.csv']"
    assert result("{{ lookalike }}") == {"path": "[1, 2]"}


@pytest.mark.parametrize(
    ("argument", "glob", "expected"),
    [
        ("/in/*", False, NAME),
        (Path("/in/*"), False, NAME),
        (["/in/*", xcom(["/in/*"])], False, [NAME, [NAME]]),
        ("/in/{{ ds }}/*", False, {"path": "/in/2026-07-01/*"}),
        ("{{ star }}", True, "*"),
        (xcom(["/in/*"]), True, ["/in/*"]),
        ("/in/{{ star }}", True, "/in/*"),
        ("{{ found }}", True, ["/in/*", "/in/b"]),
        # What holds a path as its member was found, and is a name in any case.
        (xcom([NAME]), True, [NAME]),
    ],
)
def test_the_author_may_say_which_it_is(argument: Any, glob: bool, expected: Any) -> None:
    assert result(argument, glob=glob) == expected


def test_nobody_can_name_a_file_like_a_mark() -> None:
    seen: list[str] = []
    environment = Environment(autoescape=False)  # noqa: S701 - paths, no HTML

    def render(text: str) -> str:
        seen.append(text)
        # A file that has the mark of the run before in its name.
        return environment.from_string(text).render(star=seen[0].removeprefix("/in/").partition("{")[0])

    templates = Templates(environment.lex, render)
    first = names_and_patterns("/in/*{{ star }}", "/in/*x", templates)
    second = names_and_patterns("/in/*{{ star }}", "/in/*x", templates)
    assert first == "/in/**"
    assert second.count("*") == 1


def test_what_is_expanded_from_results_is_a_name() -> None:
    listed = SimpleNamespace(value={"source": ["/in/*", "/b"]})
    found = SimpleNamespace(value={"source": xcom(["/in/*"])})
    mixed = SimpleNamespace(value={"source": ["/in/*", xcom("/b")]})
    other = SimpleNamespace(value={"target": xcom(["/a"])})
    kwargs = SimpleNamespace(value=[{"source": "/in/*"}, {"target": "/a"}, xcom({}), {"source": xcom("/in/*")}])
    unknown = SimpleNamespace(value=xcom([{"source": "/in/*"}]))
    assert expanded(listed, "source", 0, "/in/*") == "/in/*"
    assert expanded(found, "source", 0, "/in/*") is None
    assert expanded(mixed, "source", 0, "/in/*") is None
    assert expanded(other, "source", 0, "/in/*") == "/in/*"
    assert [expanded(kwargs, "source", index, "/in/*") for index in range(4)] == ["/in/*", "/in/*", None, None]
    assert expanded(unknown, "source", 0, "/in/*") is None
    assert expanded(None, "source", 0, "/in/*") is None
