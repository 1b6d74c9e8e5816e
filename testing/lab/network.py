"""Networks of bridges between hosts, all inside the namespaces of the process that makes them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# 10.77.<network>.<host>; nothing leads out of the namespace, so it does not matter who else uses it.
PREFIX = "10.77"
FIRST_HOST = 10
LOCAL_NAMES = "127.0.0.1 localhost\n::1 localhost\n"


@dataclass(frozen=True)
class Plan:
    """Who is where.

    :param networks: names; each gets a bridge, on which the process that made it has the first address.
    :param members: networks of each host, by its name.
    """

    networks: Sequence[str]
    members: Mapping[str, Sequence[str]]

    def address(self, host: str, network: str | None = None) -> str:
        """Find a host.

        :param host: its name.
        :param network: which of its networks; the first when None.
        :return: IP address.
        """
        wanted = self.members[host][0] if network is None else network
        return f"{PREFIX}.{1 + list(self.networks).index(wanted)}.{FIRST_HOST + list(self.members).index(host)}"

    def names(self) -> str:
        """List all hosts.

        :return: content of /etc/hosts. A host of several networks is found in the first of them.
        """
        return LOCAL_NAMES + "".join(f"{self.address(host)} {host}\n" for host in self.members)

    def commands(self) -> list[str]:
        """What makes the bridges and a network namespace for each host.

        :return: lines for ``ip -batch``.
        """
        lines = ["link set lo up"]
        for number in range(len(self.networks)):
            bridge = f"bridge{number}"
            lines += [
                f"link add {bridge} type bridge",
                f"addr add {PREFIX}.{1 + number}.1/24 dev {bridge}",
                f"link set {bridge} up",
            ]
        for place, (host, networks) in enumerate(self.members.items()):
            lines.append(f"netns add {host}")
            for number, network in enumerate(networks):
                bridge = f"bridge{list(self.networks).index(network)}"
                lines += [
                    f"link add host{place}-{number} type veth peer name eth{number} netns {host}",
                    f"link set host{place}-{number} master {bridge} up",
                ]
        return lines

    def commands_in(self, host: str) -> list[str]:
        """What gives a host its addresses.

        :param host: its name.
        :return: lines for ``ip -batch`` in its namespace.
        """
        lines = ["link set lo up"]
        for number, network in enumerate(self.members[host]):
            lines += [f"addr add {self.address(host, network)}/24 dev eth{number}", f"link set eth{number} up"]
        return lines

    def build(self) -> None:
        """Make it all."""
        _ip([], self.commands())
        for host in self.members:
            _ip(["-netns", host], self.commands_in(host))


def _ip(options: Sequence[str], lines: Sequence[str]) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)
