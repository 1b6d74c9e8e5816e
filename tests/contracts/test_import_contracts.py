"""Each import contract of setup.cfg bites: a copy of the package with one wrong import breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_quatrix"
CIRCLES = "No import circles"
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"
pytestmark = pytest.mark.skipif(
    not LINT_IMPORTS.exists(), reason="no import-linter, which the extra airflow-provider-quatrix[lint] brings"
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT_IMPORTS), "--config", "setup.cfg", "--no-cache"]
    variables = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)


def test_all_are_kept(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("package", "imported", "contract"),
    [
        ("api", f"{PACKAGE}.sessions.cipher", "Arrows run one way"),
        ("sessions", f"{PACKAGE}.hooks.quatrix", "Arrows run one way"),
        ("transfer", f"{PACKAGE}.sessions.record", "Arrows run one way"),
        ("transfer", "airflow.sdk", "What moves bytes knows no Airflow"),
        ("hooks", f"{PACKAGE}.triggers.captcha", "Arrows run one way"),
        ("triggers", f"{PACKAGE}.sensors.captcha", "Arrows run one way"),
        ("sensors", f"{PACKAGE}.operators.session", "Arrows run one way"),
        ("api", "airflow.sdk", "The API client knows neither Airflow nor the emulator"),
        ("emulator.web", "airflow", "The emulator knows neither Airflow nor the client"),
        ("emulator.web", f"{PACKAGE}.api.client", "The emulator knows neither Airflow nor the client"),
        ("emulator.client", f"{PACKAGE}.pytest_plugin", "The emulator knows neither Airflow nor the client"),
        ("hooks", f"{PACKAGE}.emulator.client", "Only the pytest plugin uses the emulator"),
        ("emulator.web", f"{PACKAGE}.emulator.client", "In the emulator arrows run one way"),
        ("emulator.service", "fastapi", "The service of the emulator knows no HTTP"),
    ],
)
def test_a_wrong_import_breaks_its_contract(copy: Path, package: str, imported: str, contract: str) -> None:
    (copy / PACKAGE / Path(*package.split(".")) / "wrong.py").write_text(f"def late():\n    import {imported}\n")
    done = lint(copy)
    assert done.returncode == 1
    # A wrong arrow may close a circle as well.
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line and not line.startswith(CIRCLES)]
    assert len(broken) == 1, done.stdout
    assert broken[0].startswith(contract)
    assert f"{PACKAGE}.{package}.wrong -> {imported.partition('.sdk')[0]}" in done.stdout


def test_a_new_package_has_to_find_its_place(copy: Path) -> None:
    (copy / PACKAGE / "attic").mkdir()
    (copy / PACKAGE / "attic" / "__init__.py").touch()
    done = lint(copy)
    assert done.returncode == 1
    assert "attic" in done.stdout


@pytest.mark.parametrize("package", ["api", "sessions", "emulator/service"])
def test_a_circle_breaks_its_contract(copy: Path, package: str) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        text = f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .{other} import X\n"
        (copy / PACKAGE / package / f"{name}.py").write_text(text)
    done = lint(copy)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    assert len(broken) == 1, done.stdout
    assert broken[0].startswith(CIRCLES)
