"""What Compose does with its file before it acts on it, as far as docker/docker-compose.yaml needs it."""

from __future__ import annotations

import re
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"

# The part of Compose's interpolation that the file uses: $$, ${NAME}, ${NAME:-default}, ${NAME:?message}.
INTERPOLATION = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


@dataclass(frozen=True)
class Mount:
    """A volume or folder inside a service.

    :param source: name of a volume, or path of a folder, which begins with a dot.
    :param target: where it is.
    :param read_only: whether the service may only read it.
    """

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class Service:
    """A service of the Compose file.

    :param name: its name, by which the others reach it.
    :param image: name of its image, without the tag.
    :param user: user, or user and group by number.
    :param entrypoint: what the command is handed to; empty for the image's own.
    :param command: program and arguments; empty for the image's own.
    :param environment: variables.
    :param networks: what it is connected to.
    :param mounts: what it mounts.
    :param tmpfs: folders of its own that are kept in memory.
    :param read_only: whether it can write to mounts only.
    :param health_check: a command that succeeds while it is well; empty where there is none.
    :param needs: the services that it waits for, by their conditions.
    """

    name: str
    image: str
    user: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    networks: tuple[str, ...]
    mounts: tuple[Mount, ...]
    tmpfs: tuple[str, ...]
    read_only: bool
    health_check: tuple[str, ...]
    needs: Mapping[str, str]


def interpolate(text: str, settings: Mapping[str, str]) -> str:
    """Put settings into a text.

    :param text: with references to them.
    :param settings: values by name.
    :return: the text without references.
    :raises KeyError: a required setting is missing or empty.
    """

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
    """Put settings into every value below a node. Done after parsing, as Compose does, so quotes cannot break it.

    :param node: of the parsed file.
    :param settings: values by name.
    :return: the node without references.
    """
    if isinstance(node, dict):
        return {key: interpolate_tree(value, settings) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolate_tree(value, settings) for value in node]
    return interpolate(node, settings) if isinstance(node, str) else node


def read_env(text: str) -> dict[str, str]:
    """Read the settings of an env file.

    :param text: its content.
    :return: values by name.
    """
    pairs = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value.strip("'") for name, _, value in pairs}


def fresh_settings() -> dict[str, str]:
    """Make what docker/generate_env.py would write.

    :return: values by name, the secrets new.
    """
    fill = runpy.run_path(str(DOCKER / "generate_env.py"))["fill"]
    return read_env(fill((DOCKER / ".env.example").read_text(encoding="utf-8")))


def read_services(settings: Mapping[str, str]) -> dict[str, Service]:
    """Read docker/docker-compose.yaml.

    :param settings: values by name.
    :return: the services by name.
    """
    parsed = yaml.safe_load((DOCKER / "docker-compose.yaml").read_text(encoding="utf-8"))
    found = interpolate_tree(parsed, settings)["services"]
    return {name: _service(name, members) for name, members in found.items()}


def _service(name: str, members: Mapping[str, Any]) -> Service:
    return Service(
        name=name,
        image=members["image"].partition(":")[0],
        user=str(members["user"]),
        entrypoint=tuple(members.get("entrypoint", ())),
        command=tuple(members.get("command", ())),
        environment={key: str(value) for key, value in members.get("environment", {}).items()},
        networks=tuple(members["networks"]),
        mounts=tuple(_mount(text) for text in members.get("volumes", ())),
        tmpfs=tuple(members.get("tmpfs", ())),
        read_only=members.get("read_only", False),
        health_check=_check(members.get("healthcheck", {}).get("test", ())),
        needs={other: wanted["condition"] for other, wanted in members.get("depends_on", {}).items()},
    )


def _mount(text: str) -> Mount:
    source, target, *options = text.split(":")
    return Mount(source, target, "ro" in options)


def _check(test: list[str]) -> tuple[str, ...]:
    if not test:
        return ()
    kind, *words = test
    return ("sh", "-c", words[0]) if kind == "CMD-SHELL" else tuple(words)
