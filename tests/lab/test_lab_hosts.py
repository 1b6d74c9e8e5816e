from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from testing.lab.cluster import DAGS, Cluster, host_of, start_order
from testing.lab.compose import Service, fresh_settings, read_services
from testing.lab.hosts import HostSpec, Volume, as_user, opening
from testing.lab.network import Plan

ETC = Path("/lab/etc")
PLAN = Plan(["default", "data"], {"database": ["data"], "worker": ["default", "data"]})


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    return read_services(fresh_settings())


def host(**changes: object) -> HostSpec:
    spec = HostSpec("one", 50000, 0, "/home/one", ("airflow", "it's"), {"A": "1"})
    return replace(spec, **changes)  # type: ignore[arg-type]


def lines(spec: HostSpec, *shared: str) -> list[str]:
    text = opening(spec, ETC, [Path(folder) for folder in shared])
    parsed = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    return text.splitlines()


def test_a_host_has_its_own_name_root_and_temporary_folders() -> None:
    script = lines(host())
    assert "hostname one" in script
    assert "mount -t tmpfs -o mode=1777 tmpfs tmp" in script
    assert script.index("pivot_root . mnt") < script.index("umount -l /mnt") < len(script) - 1
    assert script[-1].startswith("exec setpriv --reuid=50000 --regid=0 ")
    assert script[-1].endswith("""airflow 'it'"'"'s'""")


def test_a_command_in_a_host_has_no_power() -> None:
    assert as_user(host(), ["true"]) == [
        "setpriv",
        "--reuid=50000",
        "--regid=0",
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "true",
    ]


def test_what_hosts_share_is_read_only_and_can_be_reached() -> None:
    script = lines(host(), "/root/project", "/root/project/python")
    place = script.index("mount --bind /root/project root/project")
    assert script[place + 1] == "mount -o remount,ro,bind root/project"
    assert "chmod a+x root" in script
    # What is inside another shared folder comes with it.
    assert not [line for line in script if "project/python" in line]


def test_volumes_are_mounted_where_the_service_wants_them() -> None:
    script = lines(
        host(volumes=(Volume(Path("/v/logs"), "/logs"), Volume(Path("/v/my dags"), "/dags", read_only=True)))
    )
    assert "mount --bind /v/logs logs" in script
    assert "mount --bind '/v/my dags' dags" in script
    assert [line for line in script if line.startswith("mount -o remount,ro")] == ["mount -o remount,ro,bind dags"]


def test_a_network_is_a_bridge_and_a_host_of_two_has_two_cards() -> None:
    assert PLAN.address("database") == "10.77.2.10"
    assert (PLAN.address("worker"), PLAN.address("worker", "data")) == ("10.77.1.11", "10.77.2.11")
    assert PLAN.names().splitlines()[-2:] == ["10.77.2.10 database", "10.77.1.11 worker"]
    commands = PLAN.commands()
    assert "link add host1-0 type veth peer name eth0 netns worker" in commands
    assert "link set host1-0 master bridge0 up" in commands
    assert "link set host1-1 master bridge1 up" in commands
    assert not [line for line in commands if line.startswith("link set host0") and "bridge0" in line]
    assert PLAN.commands_in("worker")[-2:] == ["addr add 10.77.2.11/24 dev eth1", "link set eth1 up"]


def test_services_start_after_what_they_wait_for(services: dict[str, Service]) -> None:
    groups = start_order(services)
    places = {name: number for number, group in enumerate(groups) for name in group}
    assert set(places) == set(services)
    for name, service in services.items():
        assert all(places[other] < places[name] for other in service.needs), name
    assert places["postgres"] < places["airflow-init"] < places["airflow-apiserver"] < places["airflow-worker-1"]


def test_services_that_wait_for_each_other_are_an_error(services: dict[str, Service]) -> None:
    one, other = services["postgres"], services["redis"]
    circle = {
        "a": replace(one, needs={"b": "service_healthy"}),
        "b": replace(other, needs={"a": "service_healthy"}),
    }
    with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
        start_order(circle)


def test_hosts_run_the_commands_of_the_compose_file(services: dict[str, Service], tmp_path: Path) -> None:
    worker = host_of(services["airflow-worker-1"], tmp_path)
    assert worker.command == ("dumb-init", "--", "airflow", "celery", "worker")
    assert services["airflow-worker-1"].environment.items() <= worker.environment.items()
    assert Volume(DAGS, "/opt/airflow/dags", read_only=True) in worker.volumes
    assert (worker.uid, worker.gid) == (50000, 0)
    emulator = host_of(services["emulator"], tmp_path)
    assert emulator.command == services["emulator"].entrypoint + services["emulator"].command
    assert not [name for name in emulator.environment if name.startswith("AIRFLOW__")]
    redis = host_of(services["redis"], tmp_path)
    assert redis.command == services["redis"].command
    assert {volume.target for volume in redis.volumes} == {"/data"}


def test_the_first_user_is_made_after_the_tables(services: dict[str, Service], tmp_path: Path) -> None:
    init = host_of(services["airflow-init"], tmp_path)
    assert init.command[-4:] == ("init", "airflow", "db", "migrate")
    script = init.command[-5]
    assert script.index('"$@"') < script.index("airflow users create")


def test_the_emulator_cannot_reach_the_database(tmp_path: Path) -> None:
    plan = Cluster(tmp_path).plan
    assert plan.members["emulator"] == ["default"]
    assert plan.members["postgres"] == ["data"]
    assert plan.members["airflow-worker-2"] == ["default", "data"]
