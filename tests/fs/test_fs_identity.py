"""What the file system is made of: paths, connections, instances, pickles."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import fsspec
import pytest
from airflow import __version__
from forked import status_of_child

from airflow_provider_quatrix.api.client import QuatrixClient
from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem, get_fs
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

AIRFLOW_3 = not __version__.startswith("2.")
if AIRFLOW_3:
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as ProvidersManager
else:
    from airflow.providers_manager import ProvidersManager


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("quatrix://conn@/folder/file", "/folder/file"),
        ("quatrix:///folder/file", "/folder/file"),
        ("quatrix://folder/file", "/folder/file"),
        ("quatrix://conn@folder/file", "/folder/file"),
        ("quatrix://conn@/", "/"),
        ("quatrix://conn@", "/"),
        ("quatrix://", "/"),
        ("quatrix::folder", "/folder"),
        ("/folder//file/", "/folder/file"),
        ("folder/file", "/folder/file"),
        ("", "/"),
        ("/", "/"),
        ("/who@home/me@work.txt", "/who@home/me@work.txt"),
        ("quatrix://conn@/who@home/me@work.txt", "/who@home/me@work.txt"),
        (PurePosixPath("/folder/file"), "/folder/file"),
        (["quatrix://a@/x", "y"], ["/x", "/y"]),
    ],
)
def test_urls_and_paths_become_paths_from_the_home_folder(url: object, path: object) -> None:
    assert QuatrixFileSystem._strip_protocol(url) == path


def test_parent_of_a_path_is_a_path() -> None:
    assert QuatrixFileSystem._parent("/folder/file") == "/folder"
    assert QuatrixFileSystem._parent("/folder") == "/"
    assert QuatrixFileSystem._parent("/") == "/"


def test_url_names_the_connection() -> None:
    file_system, path = fsspec.url_to_fs("quatrix://partner@/folder/file")
    assert (file_system.quatrix_conn_id, path) == ("partner", "/folder/file")
    assert file_system.unstrip_protocol(path) == "quatrix://partner@/folder/file"
    file_system, path = fsspec.url_to_fs("quatrix:///folder/file")
    assert file_system.quatrix_conn_id == "quatrix_default"
    assert file_system.unstrip_protocol(path) == "quatrix:///folder/file"


def test_airflow_finds_the_file_system_and_its_uris() -> None:
    manager = ProvidersManager()
    assert "airflow_provider_quatrix.fs.quatrix" in manager.filesystem_module_names
    uris = manager.asset_uri_handlers if AIRFLOW_3 else manager.dataset_uri_handlers
    assert "quatrix" in uris


def test_get_fs_falls_back_to_the_default_connection() -> None:
    assert get_fs(None).quatrix_conn_id == "quatrix_default"
    assert get_fs("partner", {"auto_mkdir": False}).auto_mkdir is False
    assert get_fs("partner", {}) is get_fs("partner")


def test_options_that_belong_into_the_connection_are_refused_without_their_values() -> None:
    with pytest.raises(TypeError, match="options api_key, password") as caught:
        get_fs("partner", {"password": "s3cret-word", "api_key": "s3cret-key"})
    assert "s3cret" not in str(caught.value)


def test_nothing_of_a_file_system_holds_a_secret(
    quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient
) -> None:
    fs = QuatrixFileSystem(str(quatrix_connection))
    fs.pipe("/x", b"data")
    session = quatrix_emulator.sessions[0]["id"]
    texts = [repr(fs), str(fs), fs.to_json(), json.dumps(fs.to_dict()), repr(fs.storage_options), fs._fs_token]
    texts += [pickle.dumps(fs).decode("latin-1"), fs.fsid, repr(fs.open("/x")), str(vars(fs))]
    for text in texts:
        assert session not in text
        assert PASSWORD not in text


def test_pickle_and_json_keep_connection_and_options(quatrix_connection: QuatrixConnection) -> None:
    fs = QuatrixFileSystem(str(quatrix_connection), auto_mkdir=False)
    fs.client.profile()
    for other in (pickle.loads(pickle.dumps(fs)), fsspec.AbstractFileSystem.from_json(fs.to_json())):  # noqa: S301
        assert other == fs
        assert other.auto_mkdir is False
    assert fs.fsid == "quatrix-quatrix_default"


def test_pickle_is_opened_in_another_process(
    quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient, fs: QuatrixFileSystem
) -> None:
    fs.pipe("/x", b"data")
    with fs.open("/x") as file:
        code = "import pickle; from airflow.models import import_all_models; import_all_models(); "
        code += f"print(pickle.loads({pickle.dumps((fs, file))!r})[1].read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip().endswith("b'data'"), done.stderr


def test_file_system_of_a_client_works_without_airflow_and_stays_in_its_process(
    quatrix_emulator: EmulatorClient,
) -> None:
    client = QuatrixClient.connect(quatrix_emulator.url, EMAIL, PASSWORD)
    fs = QuatrixFileSystem(client=client)
    fs.pipe("/x", b"data")
    assert fs.cat("/x") == b"data"
    assert fs.unstrip_protocol("/x") == "quatrix:///x"
    assert fs.fsid == f"quatrix-{quatrix_emulator.host}"
    assert repr(fs) == "<QuatrixFileSystem of a client>"
    for portable in (lambda: pickle.dumps(fs), fs.to_json, fs.to_dict):
        with pytest.raises(TypeError, match="with a connection id"):
            portable()
    other = QuatrixClient.connect(quatrix_emulator.url, EMAIL, PASSWORD)
    assert QuatrixFileSystem(client=other).client is other


def test_file_system_of_a_client_needs_no_airflow(quatrix_emulator: EmulatorClient) -> None:
    code = f"""
import sys
sys.modules["airflow"] = None
from airflow_provider_quatrix.api import QuatrixClient
from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem
fs = QuatrixFileSystem(client=QuatrixClient.connect({quatrix_emulator.url!r}, {EMAIL!r}, {PASSWORD!r}))
fs.pipe("/x", b"data")
fs.get("/x", "/dev/null")
print(fs.cat("/x"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "b'data'", done.stderr


def test_changed_connection_is_followed(
    quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient
) -> None:
    quatrix_emulator.add_user("other@example.com", "Other-Passw0rd")
    fs = QuatrixFileSystem(str(quatrix_connection))
    fs.pipe("/x", b"data")
    quatrix_connection(login="other@example.com", password="Other-Passw0rd")
    assert QuatrixFileSystem(str(quatrix_connection)) is fs
    assert not fs.exists("/x")
    quatrix_connection(login=EMAIL, password=PASSWORD)
    assert fs.exists("/x")


def test_connection_is_looked_at_anew_on_request(fs: QuatrixFileSystem, quatrix_emulator: EmulatorClient) -> None:
    client = fs.client
    assert fs.client is client
    fs.invalidate_cache("/x")
    assert fs.client is client
    fs.invalidate_cache()
    assert fs.exists("/")
    assert quatrix_emulator.logins == 1


def test_api_key_is_used_over_one_client(
    quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient, fs: QuatrixFileSystem
) -> None:
    quatrix_emulator.add_api_key("key-of-a-robot", EMAIL)
    quatrix_connection(login=None, password=None, extra={"api_key": "key-of-a-robot"})
    fs.pipe("/x", b"data")
    assert fs.cat("/x") == b"data"
    assert fs.client is fs.client
    assert quatrix_emulator.logins == 0


def test_threads_have_file_systems_of_their_own_and_one_session(
    quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient
) -> None:
    made: list[QuatrixFileSystem] = []

    def work(number: int) -> None:
        fs = QuatrixFileSystem(str(quatrix_connection))
        with fs.transaction:
            fs.pipe(f"/out/{number}", b"x")
        made.append(fs)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({id(fs) for fs in made}) == 6
    assert len(made[0].find("/out")) == 6
    assert quatrix_emulator.logins == 1


def test_forked_process_has_connections_of_its_own(fs: QuatrixFileSystem, quatrix_emulator: EmulatorClient) -> None:
    fs.pipe("/x", b"data")

    def read() -> None:
        assert fs.cat("/x") == b"data"

    assert status_of_child(read) == 0
    assert fs.cat("/x") == b"data"
