"""Airflow's command line knows the provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

PACKAGE = "airflow-provider-quatrix"


def output(airflow: AirflowProcess, *args: str) -> str:
    done = airflow.cli(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_providers_list_and_get(airflow: AirflowProcess) -> None:
    listed = json.loads(output(airflow, "providers", "list", "--output", "json"))
    (found,) = [provider for provider in listed if provider["package_name"] == PACKAGE]
    assert "Quatrix" in found["description"]

    (details,) = json.loads(output(airflow, "providers", "get", PACKAGE, "--full", "--output", "json"))
    assert details["package-name"] == PACKAGE
    assert details["versions"] == [found["version"]]
    assert [entry["connection-type"] for entry in details["connection-types"]] == ["quatrix"]


def test_hook_is_listed(airflow: AirflowProcess) -> None:
    hooks = json.loads(output(airflow, "providers", "hooks", "--output", "json"))
    (found,) = [hook for hook in hooks if hook["connection_type"] == "quatrix"]
    assert found["class"] == "airflow_provider_quatrix.hooks.quatrix.QuatrixHook"
    assert found["package_name"] == PACKAGE
    assert found["conn_id_attribute_name"] == "quatrix_conn_id"


def test_connections_add_and_test(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_cli_model")
    added = ["--conn-type", "quatrix", "--conn-host", quatrix_emulator.url, "--conn-login", account.email]
    output(airflow, "connections", "add", "system_cli", *added, "--conn-password", account.password)
    assert "Connection success" in output(airflow, "connections", "test", "system_cli")
    assert quatrix_emulator.calls("GET", "profile") == 1

    output(airflow, "connections", "add", "system_cli_wrong", *added, "--conn-password", "wrong-on-purpose")
    refused = airflow.cli("connections", "test", "system_cli_wrong")
    assert "Credentials: " in refused.stdout + refused.stderr
    assert account.password not in refused.stdout + refused.stderr
