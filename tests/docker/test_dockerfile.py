from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
HADOLINT = Path(sys.executable).parent / "hadolint"
needs_hadolint = pytest.mark.skipif(
    not HADOLINT.exists(), reason="no hadolint, which the extra airflow-provider-quatrix[lint] brings on Linux"
)


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of that name."""
    joined = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^{name}\s+(.+)$", joined, flags=re.MULTILINE)


def copied_from_context() -> list[str]:
    """Everything the build takes out of the repository."""
    sources: list[str] = []
    for arguments in instructions("COPY"):
        *taken, _target = [word for word in arguments.split() if not word.startswith("--")]
        sources += taken
    return sources


@needs_hadolint
def test_hadolint_finds_nothing() -> None:
    found = subprocess.run([HADOLINT, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


@needs_hadolint
def test_hadolint_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM apache/airflow:latest\nRUN cd /tmp\n", encoding="utf-8")
    found = subprocess.run([HADOLINT, "--no-color", bad], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "DL3007" in found.stdout


def test_image_is_the_airflow_version_of_the_constraints() -> None:
    constraints = (ROOT / "constraints" / "airflow-3.3.txt").read_text(encoding="utf-8")
    version = re.search(r"^apache-airflow==(.+)$", constraints, flags=re.MULTILINE)
    assert version is not None
    bases = {arguments.split()[0] for arguments in instructions("FROM")}
    assert bases == {f"apache/airflow:{version[1]}-python3.11"}


def test_nothing_runs_as_root() -> None:
    assert set(instructions("USER")) == {"50000:0"}
    assert len(instructions("USER")) == len(instructions("FROM"))


def test_copied_files_exist_and_reach_the_build() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert set(copied_from_context()) == allowed
    assert [source for source in copied_from_context() if not (ROOT / source).exists()] == []
