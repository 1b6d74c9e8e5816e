"""The page about metrics names all of them."""

from __future__ import annotations

import inspect
import re

import markdown_pages as markdown

from airflow_provider_quatrix.hooks import metrics


def test_every_metric_is_listed_with_its_type() -> None:
    source = inspect.getsource(metrics)
    counters = set(re.findall(r'_count\("(quatrix\.\w+)"', source))
    gauges = set(re.findall(r'_send\("gauge", "(quatrix\.\w+)"', source))
    assert counters
    assert gauges
    rows = markdown.table_with(markdown.ROOT / "docs" / "metrics.md", "Metric")
    stated = {row[0].strip("`"): row[1] for row in rows}
    assert stated == {**dict.fromkeys(counters, "counter"), **dict.fromkeys(gauges, "gauge")}
