from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testing.lab.compose import DOCKER, INTERPOLATION, interpolate_tree

if TYPE_CHECKING:
    from pathlib import Path

ONE_SHOT = {"airflow-init"}
WORKERS = {"airflow-worker-1", "airflow-worker-2"}
TRIGGERERS = {"airflow-triggerer-1", "airflow-triggerer-2"}
AIRFLOW = {
    "airflow-init",
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    *TRIGGERERS,
    *WORKERS,
}
SECRET_NAME = re.compile(r"PASSWORD|SECRET|_KEY|CONN|BROKER_URL|RESULT_BACKEND|AUTH$")

Services = dict[str, dict[str, Any]]


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    """Hold a file against the Compose specification's schema, which the checker carries with it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_file_as_written_fits_the_compose_schema() -> None:
    found = check_schema(DOCKER / "docker-compose.yaml")
    assert found.returncode == 0, found.stdout + found.stderr


def test_file_with_its_settings_fits_the_compose_schema(compose: dict[str, Any], tmp_path: Path) -> None:
    filled = tmp_path / "docker-compose.yaml"
    filled.write_text(yaml.safe_dump(compose), encoding="utf-8")
    found = check_schema(filled)
    assert found.returncode == 0, found.stdout + found.stderr


def test_schema_check_refuses_a_broken_file(raw_compose: dict[str, Any], tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yaml"
    services = {**raw_compose["services"], "redis": {"image": "redis", "helthcheck": {}}}
    broken.write_text(yaml.safe_dump({**raw_compose, "services": services}), encoding="utf-8")
    found = check_schema(broken)
    assert found.returncode == 1
    assert "helthcheck" in found.stdout


def test_services(services: Services) -> None:
    assert set(services) == {"postgres", "redis", "emulator", *AIRFLOW}


def test_every_lasting_service_has_a_health_check_and_restarts(services: Services) -> None:
    for name in services.keys() - ONE_SHOT:
        assert services[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert services[name]["restart"] == "unless-stopped", name
    assert services["airflow-init"]["restart"] == "no"


def test_nothing_runs_as_root_or_with_privileges(services: Services) -> None:
    for name, service in services.items():
        assert service["user"] in {"50000:0", "postgres", "redis"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.keys().isdisjoint({"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"}), name


def test_images_have_a_fixed_tag(services: Services) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].partition(":")
        assert tag not in {"", "latest"}, name


def test_image_is_built_once_and_never_pulled(services: Services) -> None:
    users = {name for name, service in services.items() if service["image"] == "airflow-quatrix:local"}
    assert users == {"emulator", *AIRFLOW}
    assert [name for name, service in services.items() if "build" in service] == ["airflow-init"]
    assert {name for name, service in services.items() if service.get("pull_policy") == "never"} == users


def test_build_paths_exist(services: Services) -> None:
    build = services["airflow-init"]["build"]
    assert (DOCKER / build["context"]).resolve() / build["dockerfile"] == DOCKER / "Dockerfile"


def test_only_two_ports_are_published_and_only_on_this_machine(services: Services) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {
        "airflow-apiserver": ["127.0.0.1:8080:8080"],
        "emulator": ["127.0.0.1:8580:8580"],
    }


def test_every_secret_is_a_required_setting(raw_compose: dict[str, Any]) -> None:
    for name, service in raw_compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET_NAME.search(variable) and not variable.endswith("AUTH_MANAGER"):
                kinds = {found["kind"] for found in INTERPOLATION.finditer(value)}
                assert kinds == {"?"}, f"{name}: {variable}"
    # Nor anywhere else: a URL's password part, in a command or a health check.
    text = (DOCKER / "docker-compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"://[^/\s$]*:[^/\s$]+@", text) == []


def test_each_secret_is_missed_when_it_is_not_set(raw_compose: dict[str, Any], settings: dict[str, str]) -> None:
    optional = {"AIRFLOW_ADMIN_USER", "AIRFLOW_PORT", "EMULATOR_PORT"}
    for name in settings.keys() - optional:
        with pytest.raises(KeyError, match=name):
            interpolate_tree(raw_compose, {**settings, name: ""})


def test_airflow_services_share_keys_and_connection(services: Services, settings: dict[str, str]) -> None:
    expected = {
        "AIRFLOW__CORE__FERNET_KEY": settings["AIRFLOW_FERNET_KEY"],
        "AIRFLOW__API_AUTH__JWT_SECRET": settings["AIRFLOW_JWT_SECRET"],
        "AIRFLOW__API__SECRET_KEY": settings["AIRFLOW_API_SECRET_KEY"],
        "AIRFLOW_CONN_QUATRIX_DEFAULT": settings["QUATRIX_CONNECTION"],
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://airflow-apiserver:8080/execution/",
    }
    for name in AIRFLOW:
        environment = services[name]["environment"]
        assert {key: environment[key] for key in expected} == expected, name


def test_other_services_get_no_key_of_airflow(services: Services) -> None:
    for name in services.keys() - AIRFLOW:
        assert [key for key in services[name].get("environment", {}) if key.startswith("AIRFLOW")] == [], name


def test_passwords_on_both_sides_are_the_same(services: Services, settings: dict[str, str]) -> None:
    environment = services["airflow-scheduler"]["environment"]
    database = f"airflow:{settings['POSTGRES_PASSWORD']}@postgres:5432/airflow"
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith(database)
    assert environment["AIRFLOW__CELERY__RESULT_BACKEND"].endswith(database)
    assert environment["AIRFLOW__CELERY__BROKER_URL"] == f"redis://:{settings['REDIS_PASSWORD']}@redis:6379/0"
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == settings["POSTGRES_PASSWORD"]
    assert set(services["redis"]["environment"].values()) == {settings["REDIS_PASSWORD"]}
    account = f"{settings['QUATRIX_EMULATOR_USER']}:{settings['QUATRIX_EMULATOR_PASSWORD']}"
    assert account in services["emulator"]["command"]


def test_workers_differ_in_name_only(services: Services) -> None:
    for name in WORKERS:
        assert services[name]["hostname"] == name
        assert services[name]["healthcheck"]["test"][-1] == f"celery@{name}"
    first, second = (
        {key: value for key, value in services[name].items() if key not in {"hostname", "healthcheck"}}
        for name in sorted(WORKERS)
    )
    assert first == second


def test_triggerers_differ_in_name_only(services: Services) -> None:
    first, second = (
        {key: value for key, value in services[name].items() if key != "hostname"} for name in sorted(TRIGGERERS)
    )
    assert {name: services[name]["hostname"] for name in TRIGGERERS} == {name: name for name in TRIGGERERS}
    assert first == second


def test_examples_share_a_folder_that_the_image_has_made(services: Services) -> None:
    folder = {services[name]["environment"]["QUATRIX_EXAMPLE_FOLDER"] for name in AIRFLOW}
    assert len(folder) == 1
    for name in AIRFLOW:
        assert f"example-files:{min(folder)}" in services[name]["volumes"], name
    # Otherwise the volume would belong to root, and nobody could write there.
    assert f"RUN mkdir {min(folder)}\n" in (DOCKER / "Dockerfile").read_text(encoding="utf-8")


def test_conditions_can_come_true(services: Services) -> None:
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            one_shot = wanted["condition"] == "service_completed_successfully"
            assert other in (ONE_SHOT if one_shot else services.keys() - ONE_SHOT), f"{name} waits for {other}"


def test_networks_and_volumes_are_declared(compose: dict[str, Any], services: Services) -> None:
    networks = {network for service in services.values() for network in service["networks"]}
    mounts = [mount.split(":")[0] for service in services.values() for mount in service.get("volumes", [])]
    assert networks == set(compose["networks"])
    assert {mount for mount in mounts if not mount.startswith(".")} == set(compose["volumes"])
    assert [mount for mount in mounts if mount.startswith(".") and not (DOCKER / mount).is_dir()] == []


def test_emulator_cannot_reach_the_database(services: Services) -> None:
    assert services["emulator"]["networks"] == ["default"]
    assert services["postgres"]["networks"] == services["redis"]["networks"] == ["data"]
