"""How files are named in lineage; nothing here is sent anywhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_quatrix.hooks.lineage import (
    MOST_DATASETS,
    Dataset,
    Lineage,
    host_of,
    in_store,
    on_quatrix,
    on_this_host,
    reported,
)

ACCOUNT = on_quatrix("https://acme.quatrix.it")


@pytest.mark.parametrize(
    ("url", "dataset", "uri"),
    [
        ("s3://conn@bucket/top/a.csv", Dataset("s3://bucket", "top/a.csv"), "s3://bucket/top/a.csv"),
        ("s3a://bucket/a b?.csv", Dataset("s3://bucket", "a b?.csv"), "s3://bucket/a b%3F.csv"),
        ("gcs://bucket/", Dataset("gs://bucket", "/"), "gs://bucket/"),
        ("file:///data/a.csv", Dataset("file", "/data/a.csv"), "file:///data/a.csv"),
        ("sftp://conn@/data/a.csv", Dataset("sftp://host:22", "/data/a.csv"), "sftp://host:22/data/a.csv"),
    ],
)
def test_other_stores_are_named_by_their_urls(url: str, dataset: Dataset, uri: str) -> None:
    found = in_store(lambda: "host:22")(url)
    assert found == dataset
    assert found.uri == uri


def test_a_store_whose_urls_name_it_is_not_looked_up() -> None:
    def host() -> str:
        pytest.fail("looked up")

    assert in_store(host)("s3://bucket/a").namespace == "s3://bucket"


@pytest.mark.parametrize(
    ("host", "port", "named"),
    [
        ("sftp.example", None, "sftp.example"),
        ("sftp.example", 2222, "sftp.example:2222"),
        ("https://robot:word@dav.example:8443/top", None, "dav.example:8443"),
        (None, None, "conn"),
    ],
)
def test_a_connection_names_its_store_without_credentials(host: str | None, port: int | None, named: str) -> None:
    assert host_of(SimpleNamespace(conn_id="conn", host=host, port=port)) == named


def test_local_files_are_absolute() -> None:
    assert on_this_host("a.csv") == Dataset("file", f"{Path.cwd()}/a.csv")


def test_each_file_is_told_once_in_order() -> None:
    moved = [("/b", "/out/b"), ("/a", "/out/a"), ("/b", "/out/b")]
    assert Lineage.of(moved, ACCOUNT, on_this_host) == Lineage(
        (ACCOUNT("/b"), ACCOUNT("/a")), (Dataset("file", "/out/b"), Dataset("file", "/out/a"))
    )


def test_many_files_are_told_as_the_folder_that_holds_them() -> None:
    few = [(f"/in/{number}", f"s3://bucket/a/{number}/x") for number in range(MOST_DATASETS)]
    store = in_store(lambda: "")
    assert len(Lineage.of(few, ACCOUNT, store).inputs) == MOST_DATASETS
    many = [*few, ("/in/below/last", "s3://bucket/b")]
    assert Lineage.of(many, ACCOUNT, store) == Lineage(
        (Dataset("quatrix://acme.quatrix.it", "/in"),), (Dataset("s3://bucket", "/"),)
    )
    others = [(source, f"s3://other/{number}") for number, (source, _) in enumerate(few)]
    # Each store has its own.
    assert len(Lineage.of([*few, *others], ACCOUNT, store).outputs) == 2 * MOST_DATASETS


def test_no_work_fails_for_want_of_lineage() -> None:
    def broken(path: str) -> Dataset:
        raise RuntimeError(path)

    assert reported(object(), [("/a", "/b")], ACCOUNT, broken) == Lineage()
