"""What transfers between Quatrix and real stores tell of both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.lineage import Dataset, on_quatrix
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from store_servers import Store

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

RETRY: dict[str, Any] = {"resume_key": "task"}


def named(store: Store, port: int) -> tuple[str, str]:
    """Return the namespace of a store, and the name of its folder."""
    path = store.url.partition("://")[2].rpartition("@")[2]
    if store.url.startswith("s3"):
        bucket, _, key = path.partition("/")
        return f"s3://{bucket}", key
    return (f"sftp://127.0.0.1:{port}" if store.url.startswith("sftp") else "file"), path


def test_both_sides_are_named(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store, sftp_port: int
) -> None:
    account, (namespace, top) = on_quatrix(quatrix_emulator.url), named(store, sftp_port)
    store.put("in/a #1.csv", b"1")
    store.put("in/below/b.csv", b"2")
    there = {Dataset(namespace, f"{top}/in/a #1.csv"), Dataset(namespace, f"{top}/in/below/b.csv")}
    here = {account("/in/a #1.csv"), account("/in/below/b.csv")}
    hook.transfer(f"{store.url}/in", "/in", create_parents=True)
    assert (set(hook.lineage.inputs), set(hook.lineage.outputs)) == (there, here)
    hook.transfer("/in/a #1.csv", f"{store.url}/out/", create_parents=True)
    assert hook.lineage.inputs == (account("/in/a #1.csv"),)
    assert hook.lineage.outputs == (Dataset(namespace, f"{top}/out/a #1.csv"),)
    hook.transfer("/in/a #1.csv", f"{store.url}/out/", if_exists="skip")
    assert (hook.lineage.inputs, hook.lineage.outputs) == ((), ())


def test_a_retry_tells_what_earlier_tries_have_moved(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, local: Store
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    how: dict[str, Any] = {"create_parents": True, "delete_source": True}
    hook.transfer("/in", f"{local.url}/out", **how, **RETRY)
    told = hook.lineage
    assert len(told.inputs) == len(told.outputs) == 1
    # The worker died before the success was recorded.
    hook.transfer("/in", f"{local.url}/out", **how, **RETRY, is_retry=True)
    assert hook.lineage == told
    assert local.files() == {"out/a.csv": b"1"}


def test_the_retry_of_an_upload_tells_it_too(quatrix_emulator: EmulatorClient, hook: QuatrixHook, local: Store) -> None:
    local.put("a.csv", b"1")
    folder = local.url.removeprefix("file://")
    hook.upload(folder, "/up", create_parents=True, **RETRY)
    told = hook.lineage
    assert told.outputs == (on_quatrix(quatrix_emulator.url)("/up/a.csv"),)
    hook.upload(folder, "/up", create_parents=True, **RETRY, is_retry=True)
    assert hook.lineage == told
