from __future__ import annotations

import configparser
import json
import os
import pkgutil
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
from dag_runs import AIRFLOW_3

import airflow_provider_quatrix
from airflow_provider_quatrix import api
from airflow_provider_quatrix.get_provider_info import get_provider_info

PACKAGE = "airflow_provider_quatrix"
ROOT = Path(airflow_provider_quatrix.__file__).parents[1]
SETTINGS = configparser.ConfigParser()
SETTINGS.read(ROOT / "setup.cfg")

# Imports the first modules; then prints for each of the other lists the top-level names that importing it brings.
NEW_NAMES = """
import json, os, sys
from importlib import import_module

first, others = (json.loads(text) for text in sys.argv[1:])
for name in first:
    import_module(name)
before = set(sys.modules)
for second in others:
    # A child each, as Airflow takes seconds to import.
    if os.fork():
        os.wait()
        continue
    for name in second:
        import_module(name)
    names = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
    print(json.dumps(["names", second, names]), flush=True)
    os._exit(0)
"""


def new_names(first: list[str], *others: list[str]) -> list[set[str]]:
    """Return the names that importing each of the lists brings on top of the first modules."""
    done = subprocess.run(
        [sys.executable, "-c", NEW_NAMES, json.dumps(first), json.dumps(others)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["names"')]
    assert [second for _, second, _ in printed] == list(others), done.stderr
    return [set(names) for _, _, names in printed]


# Imports


def test_the_api_is_usable_without_airflow() -> None:
    (names,) = new_names([], [f"{PACKAGE}.api", f"{PACKAGE}.api.client"])
    assert {PACKAGE, "requests", "tenacity", "pyotp"} <= names
    assert not [name for name in names if name == "airflow" or name.startswith(("sqlalchemy", "flask"))]


def test_what_discovery_asks_for_imports_nothing_heavy() -> None:
    asked = ["get_provider_info", "hooks.connection", "pytest_plugin", "cli.airflow_commands"]
    (names,) = new_names([], [PACKAGE, *(f"{PACKAGE}.{name}" for name in asked)])
    assert not names & {"airflow", "requests", "tenacity", "pyotp", "cryptography", "filelock", "fastapi", "uvicorn"}


@pytest.mark.parametrize("name", api.__all__)
def test_every_public_name_of_the_api_is_there(name: str) -> None:
    assert getattr(api, name).__module__.startswith(f"{PACKAGE}.api.")


IMPORTED_BY_DAGS = (
    "operators.session",
    "operators.files",
    "operators.shares",
    "operators.audit",
    "sensors.captcha",
    "sensors.files",
    "sensors.shares",
    "triggers.captcha",
    "triggers.session",
    "triggers.files",
    "triggers.shares",
    # What an asset needs while its DAG is parsed.
    "assets.quatrix",
    # What a file sensor or a path needs while its DAG is parsed.
    "transfer.folder_poller",
    "api.paths",
)


@pytest.fixture(scope="module")
def brought_on_top_of_airflow() -> dict[str, set[str]]:
    """What each of the modules brings, by its name."""
    airflows_own = ["airflow.triggers.base", "airflow.sdk" if AIRFLOW_3 else "airflow.sensors.base"]
    first = [*airflows_own, "airflow.providers.common.compat.sdk"]
    names = new_names(first, *([f"{PACKAGE}.{module}"] for module in IMPORTED_BY_DAGS))
    return dict(zip(IMPORTED_BY_DAGS, names, strict=True))


@pytest.mark.parametrize("module", IMPORTED_BY_DAGS)
def test_what_dags_import_brings_nothing_heavy_on_top_of_airflow(
    module: str, brought_on_top_of_airflow: dict[str, set[str]]
) -> None:
    names = brought_on_top_of_airflow[module]
    assert PACKAGE in names
    heavy = {"requests", "tenacity", "pyotp", "cryptography", "filelock", "urllib3", "fastapi", "uvicorn"}
    assert not names & heavy


# Promises


def modules_listed(kind: str) -> set[str]:
    return {name for entry in get_provider_info()[kind] for name in entry["python-modules"]}


def dotted_names(value: Any) -> set[str]:
    """Every text of the provider info that names something of this package."""
    if isinstance(value, dict):
        return set().union(*(dotted_names(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(dotted_names(item) for item in value))
    return {value} if isinstance(value, str) and value.startswith(f"{PACKAGE}.") else set()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_everything_that_is_listed_exists() -> None:
    names = dotted_names(get_provider_info())
    assert f"{PACKAGE}.hooks.quatrix.QuatrixHook" in names
    for name in sorted(names):
        try:
            import_module(name)
        except ModuleNotFoundError:
            module, _, attribute = name.rpartition(".")
            assert hasattr(import_module(module), attribute), name


@pytest.mark.parametrize("kind", ["operators", "sensors", "triggers"])
def test_everything_that_exists_is_listed(kind: str) -> None:
    folder = import_module(f"{PACKAGE}.{kind}").__path__
    names = [f"{PACKAGE}.{kind}.{found.name}" for found in pkgutil.iter_modules(folder)]
    classes = [
        value
        for name in names
        for value in vars(import_module(name)).values()
        if isinstance(value, type) and value.__module__ == name and value.__name__.startswith("Quatrix")
    ]
    bases = {base for each in classes for base in each.__mro__[1:]}
    # What others derive from is not for users.
    offering = {each.__module__ for each in classes if each not in bases}
    assert modules_listed(kind) == offering


def test_the_metadata_agrees_with_the_provider_info() -> None:
    info = get_provider_info()
    assert info["package-name"] == SETTINGS["metadata"]["name"] == "airflow-provider-quatrix"
    assert info["versions"] == [airflow_provider_quatrix.__version__]
    assert SETTINGS["metadata"]["version"] == f"attr: {PACKAGE}.version.__version__"


def test_the_entry_points_work() -> None:
    declared = SETTINGS["options.entry_points"]
    assert {"apache_airflow_provider", "console_scripts", "pytest11"} <= set(declared)
    for group, lines in declared.items():
        for line in lines.strip().splitlines():
            name, _, target = (part.strip() for part in line.partition("="))
            module, _, attribute = target.partition(":")
            found = import_module(module)
            assert not attribute or hasattr(found, attribute), (group, name)


def test_airflow_finds_the_provider_by_its_entry_point() -> None:
    (entry,) = [
        entry
        for entry in metadata.entry_points(group="apache_airflow_provider")
        if entry.value.partition(".")[0] == PACKAGE
    ]
    assert entry.load()() == get_provider_info()


def test_the_python_that_is_declared_is_the_one_that_is_tested_and_type_hints_are_shipped() -> None:
    assert SETTINGS["options"]["python_requires"] == ">=3.11"
    assert (Path(airflow_provider_quatrix.__file__).parent / "py.typed").exists()
    assert "py.typed" in SETTINGS["options.package_data"][PACKAGE]
