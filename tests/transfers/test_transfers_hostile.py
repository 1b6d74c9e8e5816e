"""A server that means harm: nothing leaves the target folder, fills the disk or gets a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api.errors import QuatrixResponseError, QuatrixTransferError
from airflow_provider_quatrix.emulator.client import EmulatorClient
from airflow_provider_quatrix.emulator.server import EmulatorServer

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

USER = "robot@example.com"

NAMES = [
    "..",
    ".",
    "../escaped",
    "../../escaped",
    "/etc/escaped",
    "a/../../escaped",
    "c:\\escaped",
    "..\\escaped",
    "nul\0escaped",
    "line\nbreak",
    "x" * 10_000,
    "",
]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "outer" / "target"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("kind", ["F", "D"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
def test_a_hostile_name_stays_inside(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, target: Path, name: str, kind: str
) -> None:
    quatrix_emulator.make_folder(USER, "/in")
    quatrix_emulator.put_hostile_name(USER, name, "/in", size=10, kind=kind)

    quatrix_emulator.put_file(USER, "/in/good.csv", b"good")
    with pytest.raises(ValueError, match=r"1 files were downloaded, but not all.*(has the name|sent the name)"):
        hook.download("/in", str(target))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [target / "good.csv"]
    assert list(target.iterdir()) == [target / "good.csv"]


@pytest.mark.parametrize("offset", [-5, 5])
def test_other_sizes_than_announced_are_refused(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, target: Path, offset: int
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", b"x" * 1000)
    quatrix_emulator.configure(hostile_size_offset=offset)

    with pytest.raises(QuatrixTransferError, match="announced"):
        hook.download("/a.bin", str(target / "a.bin"))

    assert list(target.iterdir()) == []


def test_an_endless_body_ends_at_the_announced_size(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, target: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", b"x" * 1000)
    quatrix_emulator.configure(hostile_endless_download=True)

    with pytest.raises(QuatrixTransferError, match="more bytes"):
        hook.download("/a.bin", str(target / "a.bin"))

    assert list(target.iterdir()) == []


def test_a_redirect_to_another_host_gets_no_token(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, target: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", b"x" * 1000)
    with EmulatorServer() as other:
        quatrix_emulator.configure(hostile_download_redirect=f"{other.url}/api/1.0/file/download/x")
        with pytest.raises(QuatrixResponseError, match="redirects to"):
            hook.download("/a.bin", str(target / "a.bin"))
        assert EmulatorClient(other.url).requests == 0


def test_a_finalize_with_another_size_leaves_nothing(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"x" * 1000)
    quatrix_emulator.configure(hostile_finalize_offset=-1)

    with pytest.raises(QuatrixTransferError, match="999"):
        hook.upload(str(file), "/a.bin")

    assert quatrix_emulator.files(USER) == []
