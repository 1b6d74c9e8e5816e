"""The recipes for telling people work as they stand on their page."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import markdown_pages as markdown
import pytest
from airflow.providers.common.compat.sdk import DAG
from dag_runs import AIRFLOW_3, through_serialization

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.links.quatrix import LINKS
from airflow_provider_quatrix.notifications.quatrix import QuatrixNotifier
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

PAGE = markdown.ROOT / "docs" / "notifications.md"
RECIPES = {
    re.search(r'DAG\("(\w+)"', block.text)[1]: block  # type: ignore[index]
    for block in markdown.code_blocks(PAGE)
    if block.language == "python"
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipes_are_dags(name: str, quatrix_connection: QuatrixConnection) -> None:
    if "deadline=" in RECIPES[name].text and not AIRFLOW_3:
        pytest.skip("Airflow 2 has no deadlines")
    text = re.sub(r"^with (DAG\(.*\)):$", r"with \1 as dag:", RECIPES[name].text, flags=re.MULTILINE)
    names: dict[str, Any] = {"DAG": DAG}
    exec(compile(text, str(PAGE), "exec"), names)  # noqa: S102 - the page's own text
    assert through_serialization(names["dag"]).dag_id == name


def test_a_block_is_told_by_another_connection(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, airflow_db: Path
) -> None:
    quatrix_emulator.add_user("watch@example.com", "Emulator-Passw0rd")
    quatrix_emulator.add_api_key("a-key-of-the-watch", "watch@example.com")
    quatrix_connection(
        conn_id="quatrix_with_api_key", login=None, password=None, extra={"api_key": "a-key-of-the-watch"}
    )
    text = re.sub(r"^with (DAG\(.*\)):$", r"with \1 as dag:", RECIPES["work"].text, flags=re.MULTILINE)
    names: dict[str, Any] = {"DAG": DAG}
    exec(compile(text, str(PAGE), "exec"), names)  # noqa: S102 - the page's own text
    quatrix_emulator.block_user(EMAIL)
    assert QuatrixHook().captcha_blocked()
    names["when_blocked"](names["tell"])({"dag": names["dag"]})
    (entry,) = [entry for entry in quatrix_emulator.files("watch@example.com") if entry["type"] == "F"]
    said = quatrix_emulator.read_file("watch@example.com", entry["path"]).decode()
    assert said.startswith(f"Quatrix waits for a person to pass the CAPTCHA of {EMAIL}")


def test_the_page_names_the_arguments_and_buttons() -> None:
    parameters = inspect.signature(QuatrixNotifier.__init__).parameters.values()
    named = [name for row in markdown.table_with(PAGE, "Argument") for name in markdown.names_in(row[0])]
    assert set(named) == {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert [row[0] for row in markdown.table_with(PAGE, "Button")] == [link.name for link in LINKS]
