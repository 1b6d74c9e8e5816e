"""What Compose does with its file before it acts on it, as far as docker/docker-compose.yaml needs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"

# The part of Compose's interpolation that the file uses: $$, ${NAME}, ${NAME:-default}, ${NAME:?message}.
INTERPOLATION = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


def interpolate(text: str, settings: Mapping[str, str]) -> str:
    """Do what Compose does with ``text``; a required setting that is missing or empty is an error, as there."""

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return "$"
        if settings.get(name):
            return settings[name]
        if found["kind"] == "-":
            return found["rest"]
        raise KeyError(f"{name}: {found['rest']}")

    return INTERPOLATION.sub(value, text)


def interpolate_tree(node: Any, settings: Mapping[str, str]) -> Any:
    """Interpolate every value below ``node``. Done after parsing, as Compose does, so quotes cannot break it."""
    if isinstance(node, dict):
        return {key: interpolate_tree(value, settings) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolate_tree(value, settings) for value in node]
    return interpolate(node, settings) if isinstance(node, str) else node


def read_env(text: str) -> dict[str, str]:
    """Read the settings of an env file."""
    pairs = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value.strip("'") for name, _, value in pairs}
