"""The Compose file as the tests see it: as written, and with the generated settings put in."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import yaml

from testing.lab.compose import DOCKER, interpolate_tree, read_env


@pytest.fixture(scope="session")
def generate_env() -> Any:
    """The script docker/generate_env.py as a module."""
    spec = importlib.util.spec_from_file_location("generate_env", DOCKER / "generate_env.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def example_text() -> str:
    return (DOCKER / ".env.example").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def settings(generate_env: Any, example_text: str) -> dict[str, str]:
    """The settings as docker/.env would hold them."""
    return read_env(generate_env.fill(example_text))


@pytest.fixture(scope="session")
def raw_compose() -> dict[str, Any]:
    """The Compose file as written."""
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "docker-compose.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def compose(raw_compose: dict[str, Any], settings: dict[str, str]) -> dict[str, Any]:
    """The Compose file with the settings put in."""
    interpolated: dict[str, Any] = interpolate_tree(raw_compose, settings)
    return interpolated


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found
