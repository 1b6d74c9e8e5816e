"""Failures name the action and the file, as an answer of the service names neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api.errors import QuatrixApiError
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.error_context import described

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

REFUSALS = [
    (403, {"code": 50, "msg": "No permission"}),
    (404, {"code": 20, "msg": "No such object"}),
    (507, {"code": 122, "msg": "Quota exceeded"}),
]


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_an_upload_that_is_refused(
    status: int, body: dict[str, object], hook: QuatrixHook, quatrix_emulator: EmulatorClient, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    quatrix_emulator.put_files(EMAIL, ["/t/"])
    quatrix_emulator.fault("upload/link", after=2, times=None, status=status, body=body)
    with pytest.raises(QuatrixApiError) as caught:
        hook.upload(f"{tmp_path}/*", "/t/", transfers=1)
    assert described(caught.value).startswith(f"Uploading '{tmp_path}/c' to '/t/c': {body['msg']}")


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_a_download_that_is_refused(
    status: int, body: dict[str, object], hook: QuatrixHook, quatrix_emulator: EmulatorClient, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        quatrix_emulator.put_file(EMAIL, f"/t/{name}", name.encode())
    quatrix_emulator.fault("file/download-link", after=2, times=None, status=status, body=body)
    with pytest.raises(QuatrixApiError) as caught:
        hook.download("/t/*", tmp_path, transfers=1)
    assert described(caught.value).startswith(f"Downloading '/t/c' to '{tmp_path}/c': {body['msg']}")
