"""The ports that make up listens on."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from demo import up
from testing.airflow_settings import free_ports, port_or_free

README = Path(__file__).parents[2] / "README.md"


def test_a_port_that_is_free_is_taken() -> None:
    (port,) = free_ports(1)
    assert port_or_free(port) == port


def test_another_port_stands_in_for_one_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = port_or_free(port)
        assert other != port
    assert 1024 < other < 65536


def test_the_readme_names_the_ports() -> None:
    (ports,) = re.findall(r"ports (\d+) and (\d+)", README.read_text().replace("\n", " "))
    assert tuple(map(int, ports)) == (up.AIRFLOW_PORT, up.EMULATOR_PORT)
