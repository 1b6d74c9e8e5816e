"""Assets of files on Quatrix: one of each file, however it is written."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath
from airflow.providers_manager import ProvidersManager
from dag_runs import AIRFLOW_3

# Ahead of the first path, as the docs ask for on Airflow 2.
import airflow_provider_quatrix.fs.quatrix  # noqa: F401
from airflow_provider_quatrix.assets.quatrix import (
    convert_asset_to_openlineage,
    create_asset,
    operator_lineage,
    sanitize_uri,
)
from airflow_provider_quatrix.hooks.lineage import Dataset, Lineage
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

CANONICAL = "quatrix://acme.quatrix.it/inbox/M%C3%A4rz%20%231.csv"


def test_airflow_finds_handler_factory_and_converter() -> None:
    manager: Any
    if AIRFLOW_3:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

        manager = ProvidersManagerTaskRuntime()
    else:
        manager = ProvidersManager()
    kind = "asset" if AIRFLOW_3 else "dataset"
    assert getattr(manager, f"{kind}_uri_handlers")["quatrix"] is sanitize_uri
    assert getattr(manager, f"{kind}_factories")["quatrix"] is create_asset
    assert getattr(manager, f"{kind}_to_openlineage_converters")["quatrix"] is convert_asset_to_openlineage


@pytest.mark.parametrize(
    "uri",
    [
        CANONICAL,
        "quatrix://acme.quatrix.it/inbox/M%c3%a4rz %231.csv",
        "QUATRIX://ACME.quatrix.it:443//inbox/M%C3%A4rz%20%231.csv/",
    ],
)
def test_each_writing_of_a_uri_becomes_the_same(uri: str) -> None:
    assert Asset(uri=uri).uri == CANONICAL


@pytest.mark.parametrize(
    ("host", "path", "uri"),
    [
        ("acme.quatrix.it", "/inbox/März #1.csv", CANONICAL),
        ("acme", "inbox/März #1.csv", CANONICAL),
        ("https://Acme.quatrix.it/", "/inbox/März #1.csv/", CANONICAL),
        ("acme.quatrix.it", "/", "quatrix://acme.quatrix.it/"),
        ("acme.quatrix.it", "/100%25?.csv", "quatrix://acme.quatrix.it/100%2525%3F.csv"),
        ("http://127.0.0.1:8580", "/a", "quatrix://127.0.0.1:8580/a"),
        ("http://emulator", "/a", "quatrix://emulator:80/a"),
        ("https://files", "/a", "quatrix://files:443/a"),
        ("https://[2001:DB8::1]", "/a", "quatrix://[2001:db8::1]/a"),
    ],
)
def test_the_factory_makes_the_asset_of_the_uri(host: str, path: str, uri: str) -> None:
    asset = create_asset(host=host, path=path, extra={"of": "a test"})
    assert asset.uri == uri
    assert asset == Asset(uri=uri, extra={"of": "a test"})
    assert create_asset(host=host, path=path) == Asset(uri=uri)
    # What it makes is what it would make again of it.
    assert Asset(uri=asset.uri).uri == uri


def refused(text: str) -> AbstractContextManager[Any]:
    """Airflow 2 only warns of a URI that is refused."""
    if AIRFLOW_3:
        return pytest.raises(ValueError, match=text)
    return pytest.warns(UserWarning, match=text)


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("quatrix://acme/inbox/a.csv", r"write quatrix://acme\.quatrix\.it/inbox/a\.csv if that"),
        ("quatrix://a_b!c.example/a", "is not the host of an account: write quatrix://acme"),
        ("quatrix://acme.quatrix.it:0/a", "is not the host"),
        ("quatrix://acme.quatrix.it:word/a", "is not the host"),
        ("quatrix://acme.quatrix.it/a?b=c", "has no query: write %3F"),
        ("quatrix://acme.quatrix.it/a/../b", r"'\.\.' has a meaning of its own"),
        ("quatrix://acme.quatrix.it/a%2F..%2Fb", r"'\.\.' has a meaning of its own"),
        ("quatrix://acme.quatrix.it/a%00b", "contains a control character"),
    ],
)
def test_a_uri_that_names_no_file_of_an_account_is_refused(uri: str, text: str) -> None:
    with refused(text):
        Asset(uri=uri)


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 takes users out of all URIs, with a warning")
def test_a_user_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="no connection and no user") as caught:
        Asset(uri="quatrix://some-secret@acme.quatrix.it/a")
    assert "some-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"host": ""}, "host is missing"),
        ({"host": "acme.quatrix.it/folder"}, "host has a path"),
        ({"host": "robot:s3cret@acme.quatrix.it"}, "host contains credentials"),
        ({"host": "acme", "path": "/a/../b"}, "has a meaning of its own"),
    ],
)
def test_the_factory_says_what_is_wrong(arguments: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        create_asset(**arguments)
    assert "s3cret" not in str(caught.value)


# Lineage


def as_dataset(uri: str, context: Any = None) -> Dataset:
    pytest.importorskip("openlineage.client", reason="needs the package openlineage-python, of the extra test")
    found = convert_asset_to_openlineage(Asset(uri=uri), context)
    return Dataset(found.namespace, found.name)


def test_an_asset_is_the_dataset_of_its_file() -> None:
    assert as_dataset(CANONICAL) == Dataset("quatrix://acme.quatrix.it", "/inbox/März #1.csv")
    assert as_dataset("quatrix://acme.quatrix.it:8580") == Dataset("quatrix://acme.quatrix.it:8580", "/")


@pytest.mark.usefixtures("airflow_db", "quatrix_connection")
@pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning")
@pytest.mark.parametrize("url", ["quatrix://quatrix_default@/inbox/a #1.csv", "quatrix:///inbox/a #1.csv"])
def test_a_path_of_object_storage_is_the_dataset_of_its_file(quatrix_emulator: EmulatorClient, url: str) -> None:
    path = ObjectStoragePath(url)
    # Airflow makes such assets whenever a path is read, which must not fail, and on Airflow 2 warns of the connection.
    warned = pytest.warns(UserWarning, match="auth info") if not AIRFLOW_3 and "@" in str(path) else nullcontext()
    account = quatrix_emulator.url.replace("http", "quatrix")
    with warned:
        assert as_dataset(str(path), path) == Dataset(account, "/inbox/a #1.csv")
    assert quatrix_emulator.requests == 0


def test_a_hook_tells_what_it_has_moved_by_the_uris_of_assets(
    quatrix_emulator: EmulatorClient, quatrix_connection: Any, tmp_path: Path, airflow_db: Path
) -> None:
    (tmp_path / "a #1.csv").write_bytes(b"a")
    hook = QuatrixHook()
    assert hook.lineage == Lineage()
    hook.upload(tmp_path / "a #1.csv", "/")
    (told,) = hook.lineage.outputs
    assert Asset(uri=told.uri) == create_asset(host=quatrix_emulator.url, path="/a #1.csv")
    assert hook.lineage.inputs == (Dataset("file", f"{tmp_path}/a #1.csv"),)
    assert hook.lineage.inputs[0].uri == f"file://{tmp_path}/a %231.csv"
    moved = hook.move("/a #1.csv", "/b.csv")
    assert moved is not None
    assert [each.name for each in (*hook.lineage.inputs, *hook.lineage.outputs)] == ["/a #1.csv", "/b.csv"]
    quatrix_emulator.put_file(EMAIL, "/c.csv", b"c")
    assert hook.copy("/b.csv", "/c.csv", if_exists="skip") is None
    assert hook.lineage == Lineage()


def test_the_lineage_of_an_operator_is_what_the_provider_takes() -> None:
    pytest.importorskip(
        "airflow.providers.openlineage",
        reason="needs the package apache-airflow-providers-openlineage, of the extra test",
    )
    told = operator_lineage(Lineage((Dataset("file", "/a"),), (Dataset("quatrix://acme.quatrix.it", "/a"),)))
    assert [(each.namespace, each.name) for each in told.inputs] == [("file", "/a")]
    assert [(each.namespace, each.name) for each in told.outputs] == [("quatrix://acme.quatrix.it", "/a")]
