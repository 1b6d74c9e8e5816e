"""The page about lineage shows what is so."""

from __future__ import annotations

import configparser
import json
from typing import Any

import markdown_pages as markdown
import pytest
from airflow.providers.common.compat.sdk import Asset
from dag_runs import through_serialization

from airflow_provider_quatrix.assets.quatrix import create_asset
from airflow_provider_quatrix.hooks.lineage import MOST_DATASETS, Lineage, on_quatrix, on_this_host

PAGE = markdown.ROOT / "docs" / "lineage.md"


def blocks(language: str) -> list[str]:
    return [block.text for block in markdown.code_blocks(PAGE) if block.language == language]


def samples() -> dict[str, Any]:
    """Run the samples one after the other, and return what they have made."""
    names: dict[str, Any] = {}
    for text in blocks("python"):
        exec(compile(text, str(PAGE), "exec"), names)  # noqa: S102 - the page's own text
    return names


def test_the_samples_make_one_asset() -> None:
    made = samples()
    # As the scheduler gets to see them.
    written, read = (through_serialization(made[name].dag) for name in ("upload", "download"))
    assert [written.dag_id, read.dag_id] == ["write_orders", "read_orders"]
    assert made["ORDERS"] == create_asset(host="acme.quatrix.it", path="/inbox/orders.csv")
    assert made["REPORT"].uri == "quatrix://acme.quatrix.it/reports/M%C3%A4rz%202026.csv"
    named = {row[0]: row[1].strip("`") for row in markdown.table_with(PAGE, "Where")}
    assert Asset(uri=named["asset of Airflow"]) == made["ORDERS"]


def test_the_event_names_what_the_upload_moves() -> None:
    (text,) = blocks("json")
    event = json.loads(text)
    upload = samples()["upload"]
    moved = [(upload.source, upload.target)]
    lineage = Lineage.of(moved, on_this_host, on_quatrix("https://acme.quatrix.it"))
    for side, datasets in (("inputs", lineage.inputs), ("outputs", lineage.outputs)):
        assert event[side] == [{"namespace": each.namespace, "name": each.name} for each in datasets]
    assert event["job"]["name"] == f"{upload.dag_id}.{upload.task_id}"
    assert upload.outlets == [Asset(uri=each.uri) for each in lineage.outputs]


def test_the_provider_knows_the_option() -> None:
    provider = pytest.importorskip(
        "airflow.providers.openlineage.get_provider_info",
        reason="needs the package apache-airflow-providers-openlineage, of the extra test",
    )
    (text,) = blocks("ini")
    settings = configparser.ConfigParser()
    settings.read_string(text)
    assert json.loads(settings["openlineage"]["transport"])["type"] == "file"
    assert set(settings["openlineage"]) <= set(provider.get_provider_info()["config"]["openlineage"]["options"])


def test_the_bound_is_what_the_page_says() -> None:
    assert f"More than {MOST_DATASETS} files" in PAGE.read_text()
