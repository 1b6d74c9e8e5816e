"""How much memory a transfer takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    import pytest
    from store_servers import Store

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

MIB = 1024 * 1024
TRANSFERS = """
import gc, resource, sys
from airflow.models import import_all_models; import_all_models()
from s3fs import S3FileSystem
try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
server, store = sys.argv[1:]
attach("s3", conn_id="s3_store", fs=S3FileSystem(key="key", secret="secret", endpoint_url=server))
hook = QuatrixHook()
# What both ends import and connect is there before it is measured.
hook.transfer("/small", store + "/small")
# No luck with when the garbage collector comes.
gc.collect()
gc.disable()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hook.transfer("/large", store + "/large")
hook.transfer(store + "/large", "/back")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_little_of_a_large_file_is_in_memory(
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    s3: Store,
    s3_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "memory")
    quatrix_emulator.put_file(EMAIL, "/small", b"1")
    quatrix_emulator.put_file(EMAIL, "/large", bytes(100 * MIB))
    program = [sys.executable, "-c", TRANSFERS, s3_server, s3.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 64 * MIB
    assert quatrix_emulator.file_sha256(EMAIL, "/back") == quatrix_emulator.file_sha256(EMAIL, "/large")
