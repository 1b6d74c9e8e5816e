"""The services of docker/docker-compose.yaml as hosts, and one more host with Airflow 2.11."""

from __future__ import annotations

import compileall
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_quatrix.emulator.client import EmulatorClient
from testing.airflow_client import AirflowClient, AirflowError
from testing.lab.compose import ROOT, Service, fresh_settings, read_services
from testing.lab.hosts import Host, HostError, HostSpec, Volume, host_environment
from testing.lab.network import Plan
from testing.output import say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

LAB = ROOT / ".lab"
DAGS = Path(__file__).parent / "dags"
OLDER = "airflow-2"
OLDER_PROGRAMS = ROOT / ".venv-distributed-2.11" / "bin"
START_SECONDS = 240.0
LOOK_SECONDS = 0.5
FILES = "example-files"
AIRFLOW_HOME = "/opt/airflow"

# Users of the images.
USERS = {"airflow": (50000, 0), "postgres": (999, 999), "redis": (999, 999)}
HOMES = {"airflow": "/home/airflow", "postgres": "/var/lib/postgresql/data", "redis": "/data"}

POLL_SECONDS = 6
# What the lab's DAGs read.
FOR_DAGS = {"LAB_POLL_SECONDS": str(POLL_SECONDS)}
# What the lab sets beside the Compose file, so that a dead host is missed in seconds instead of minutes.
HASTE = {
    **FOR_DAGS,
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
}

# What the images' entry points do before or instead of a command.
START_POSTGRES = """\
printf %s "$POSTGRES_PASSWORD" >/tmp/password
initdb --no-sync --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust
echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
printf 'CREATE DATABASE %s;\\n' "$POSTGRES_DB" older | postgres --single -D "$PGDATA" postgres
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
"""
INIT_AIRFLOW = """\
"$@"
airflow users create --username "$_AIRFLOW_WWW_USER_USERNAME" --password "$_AIRFLOW_WWW_USER_PASSWORD" \
--firstname Airflow --lastname Admin --email airflowadmin@example.com --role Admin
"""


def user_of(service: Service) -> str:
    """Name the user of a service.

    :param service: which.
    :return: a name of ``USERS``.
    """
    return service.user if service.user in USERS else "airflow"


def host_of(service: Service, volumes: Path) -> HostSpec:
    """Turn a service into a host.

    :param service: which.
    :param volumes: folder that holds a folder for each volume.
    :return: what the host is.
    """
    user = user_of(service)
    uid, gid = USERS[user]
    environment = dict(service.environment)
    command = service.command
    if user == "postgres":
        environment["PGDATA"] = HOMES[user]
        command = ("sh", "-euc", START_POSTGRES)
    elif user == "airflow":
        environment |= {"AIRFLOW_HOME": AIRFLOW_HOME, **(HASTE if service.environment else {})}
        if "_AIRFLOW_WWW_USER_CREATE" in environment:
            command = ("sh", "-euc", INIT_AIRFLOW, "init", *command)
        command = (*(service.entrypoint or ("dumb-init", "--")), *command)
    return HostSpec(
        name=service.name,
        uid=uid,
        gid=gid,
        home=HOMES[user],
        command=command,
        environment=host_environment(environment, HOMES[user], Path(sys.executable).parent),
        volumes=tuple(
            Volume(DAGS if mount.source == "../dags" else volumes / mount.source, mount.target, mount.read_only)
            for mount in service.mounts
        ),
        folders=(AIRFLOW_HOME,) if user == "airflow" else (),
    )


def start_order(services: Mapping[str, Service]) -> list[list[str]]:
    """Sort services by what they wait for.

    :param services: by name.
    :return: groups of names; a group can start when all of the groups before it are ready.
    :raises ValueError: some wait for each other.
    """
    groups: list[list[str]] = []
    ready: set[str] = set()
    while len(ready) < len(services):
        group = [name for name, service in services.items() if name not in ready and set(service.needs) <= ready]
        if not group:
            raise ValueError(f"wait for each other: {sorted(set(services) - ready)}")
        groups.append(group)
        ready.update(group)
    return groups


class ClusterAirflow(AirflowClient):
    """The cluster's Airflow.

    :param url: of its API server.
    :param login: user name and password.
    :param check: raises where a host has ended by itself.
    """

    def __init__(self, url: str, login: tuple[str, str], check: Callable[[], None]) -> None:
        # Each look costs the API server as much as a call of a task.
        super().__init__(url, login=login, poll_seconds=2.0)
        self._check = check

    def check(self) -> None:
        """Make sure that all hosts still run.

        :raises AirflowError: one has ended.
        """
        self._check()

    def add_connection(self, conn_id: str, host: str, login: str, password: str) -> None:
        """Add a connection to Quatrix.

        :param conn_id: its id.
        :param host: the service's URL.
        :param login: user.
        :param password: the user's.
        """
        names = ("connection_id", "conn_type", "host", "login", "password")
        self.post("connections", dict(zip(names, (conn_id, "quatrix", host, login, password), strict=True)))


class Cluster:
    """All hosts. They end with the process that started them, as it is the first of its process namespace.

    :param folder: for logs and volumes; emptied first.
    """

    def __init__(self, folder: Path = LAB) -> None:
        self.folder = folder
        self.settings = fresh_settings()
        self.services = read_services(self.settings)
        self.volumes = folder / "volumes"
        networks = dict.fromkeys(network for service in self.services.values() for network in service.networks)
        # The default network first: by it most hosts are found.
        self.plan = Plan(
            sorted(networks, key=lambda name: name != "default"),
            {
                **{
                    name: sorted(service.networks, key=lambda name: name != "default")
                    for name, service in self.services.items()
                },
                OLDER: ["data"],
            },
        )
        self.hosts: dict[str, Host] = {}
        self._lasting: set[str] = set()
        self.emulator_url = f"http://{self.plan.address('emulator')}:8580"
        self.emulator = EmulatorClient(self.emulator_url)
        self.airflow = ClusterAirflow(
            f"http://{self.plan.address('airflow-apiserver')}:8080",
            (self.settings["AIRFLOW_ADMIN_USER"], self.settings["AIRFLOW_ADMIN_PASSWORD"]),
            self.check,
        )

    def prepare(self) -> None:
        """Make folders and networks."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("etc", "logs"):
            (self.folder / name).mkdir(parents=True)
        users = [line for line in Path("/etc/passwd").read_text().splitlines() if line.split(":")[0] not in USERS]
        users += [f"{name}:x:{uid}:{gid}::{HOMES[name]}:/bin/sh" for name, (uid, gid) in USERS.items()]
        (self.folder / "etc" / "passwd").write_text("\n".join(users) + "\n")
        (self.folder / "etc" / "hosts").write_text(self.plan.names())
        for service in self.services.values():
            for mount in service.mounts:
                if not mount.source.startswith("."):
                    self._volume(mount.source, *USERS[user_of(service)])
        # The hosts cannot write byte code, and would compile the provider for every task.
        for name in ("airflow_provider_quatrix", "demo", "testing"):
            compileall.compile_dir(ROOT / name, quiet=1)
        self.plan.build()

    def _volume(self, name: str, uid: int, gid: int) -> Path:
        folder = self.volumes / name
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            os.chown(folder, uid, gid)
        return folder

    def start(self, names: Collection[str]) -> None:
        """Start services in the order in which Compose would, and wait until all are healthy.

        :param names: which; what they wait for has to be among them.
        :raises HostError: one fails, or is not healthy in time.
        """
        for group in start_order({name: self.services[name] for name in names}):
            for name in group:
                self.hosts[name] = Host(host_of(self.services[name], self.volumes), self.folder / "etc", self.log(name))
                self.hosts[name].start()
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._wait_ready, group))

    def _wait_ready(self, name: str) -> None:
        service, host = self.services[name], self.hosts[name]
        if not service.health_check:
            host.wait(START_SECONDS)
            return
        self._lasting.add(name)
        ends = time.monotonic() + START_SECONDS
        while host.run(*service.health_check).returncode != 0:
            self.check()
            if time.monotonic() > ends:
                raise HostError(f"{name} is not healthy within {START_SECONDS:g} s:\n{host.log_text()}")
            time.sleep(LOOK_SECONDS)
        say(f"  {name} is healthy")

    def log(self, name: str) -> Path:
        """Where a host writes.

        :param name: which.
        :return: the file.
        """
        return self.folder / "logs" / f"{name}.log"

    def check(self) -> None:
        """Make sure that no host has ended by itself.

        :raises AirflowError: one has.
        """
        for name in self._lasting:
            if not self.hosts[name].running:
                raise AirflowError(f"{name} has ended:\n{self.hosts[name].log_text()}")

    def kill(self, name: str) -> None:
        """Kill a host.

        :param name: which.
        """
        self._lasting.discard(name)
        self.hosts[name].kill()

    def stop_all_but(self, *names: str) -> None:
        """Kill all hosts that run.

        :param names: those that go on.
        """
        for name, host in self.hosts.items():
            if host.running and name not in names:
                self.kill(name)

    def start_older(self) -> Host:
        """Start the host of Airflow 2.11, which runs ``testing.lab.older`` in the environment of that line.

        :return: the host.
        """
        uid, gid = USERS["airflow"]
        home = HOMES["airflow"]
        environment = {
            "LAB_DATABASE": f"postgresql+psycopg2://airflow:{self.settings['POSTGRES_PASSWORD']}@postgres:5432/older",
            "QUATRIX_EXAMPLE_FOLDER": home,
            "PYTHONPATH": str(ROOT),
            **FOR_DAGS,
        }
        spec = HostSpec(
            OLDER,
            uid,
            gid,
            home,
            ("dumb-init", "--", "python", "-m", "testing.lab.older"),
            host_environment(environment, home, OLDER_PROGRAMS),
            (Volume(self._volume(OLDER, uid, gid), home),),
        )
        self.hosts[OLDER] = Host(spec, self.folder / "etc", self.log(OLDER))
        self.hosts[OLDER].start()
        return self.hosts[OLDER]
