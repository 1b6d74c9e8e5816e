from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import airflow
import pytest
from dag_runs import AIRFLOW_3
from jsonschema import Draft202012Validator

from airflow_provider_quatrix import __version__
from airflow_provider_quatrix.get_provider_info import get_provider_info
from airflow_provider_quatrix.hooks.connection import EXTRA_FIELDS
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

# Airflow's own: what it imports for the forms warns, and 3.3 moved the hooks to another manager without a public name.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated"),
]

only_airflow_2 = pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3 draws the form from the metadata, without widgets")

SECRETS = {"api_key", "totp_secret", "pin", "proxy"}


def connection_type() -> dict[str, Any]:
    (only,) = get_provider_info()["connection-types"]
    return only


def test_airflow_accepts_the_provider_info() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    errors = list(Draft202012Validator(schema).iter_errors(get_provider_info()))
    assert not errors


def test_airflow_finds_provider_hook_and_configuration() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.providers["airflow-provider-quatrix"].version == __version__
    hook = manager.hooks["quatrix"]
    assert hook is not None
    assert (hook.hook_name, hook.connection_id_attribute_name) == ("Quatrix", "quatrix_conn_id")
    assert dict(manager.provider_configs)["airflow-provider-quatrix"]["quatrix"]["options"].keys() == {
        "session_store",
        "lock_dir",
    }


def test_the_secrets_of_the_metadata_are_password_fields() -> None:
    fields = connection_type()["conn-fields"]
    assert list(fields) == [entry.name for entry in EXTRA_FIELDS]
    assert {name for name, field in fields.items() if field["schema"].get("format") == "password"} == SECRETS


@only_airflow_2
def test_both_forms_have_the_same_fields_with_the_same_secrets() -> None:
    fields = connection_type()["conn-fields"]
    widgets = QuatrixHook.get_connection_form_widgets()
    assert list(widgets) == list(fields)
    assert {name for name, field in widgets.items() if field.field_class.__name__ == "PasswordField"} == SECRETS
    for name, field in fields.items():
        assert field["label"] == widgets[name].args[0]
        assert field["description"] == widgets[name].kwargs["description"]


def test_both_forms_treat_the_standard_fields_alike() -> None:
    behaviour = connection_type()["ui-field-behaviour"]
    assert behaviour["hidden-fields"] == ["schema"]
    assert behaviour["relabeling"] == {"host": "Account host", "login": "E-mail", "password": "Password"}
    assert {name.replace("_", "-"): value for name, value in QuatrixHook.get_ui_field_behaviour().items()} == behaviour


@pytest.mark.parametrize("entry", EXTRA_FIELDS, ids=lambda entry: entry.name)
def test_the_form_of_airflow_3_takes_defaults_and_empty_fields(entry: Any) -> None:
    validator = Draft202012Validator(entry.json_schema())
    assert not list(validator.iter_errors(None))
    assert not list(validator.iter_errors(entry.default))


def test_the_form_of_airflow_3_refuses_what_the_hook_refuses() -> None:
    schemas = {entry.name: Draft202012Validator(entry.json_schema()) for entry in EXTRA_FIELDS}
    assert list(schemas["unblock_method"].iter_errors("PUT"))
    assert list(schemas["connect_timeout"].iter_errors(0))
    assert list(schemas["read_timeout"].iter_errors("soon"))


@only_airflow_2
def test_airflow_2_draws_the_form() -> None:
    from airflow.providers_manager import ProvidersManager

    widgets = ProvidersManager().connection_form_widgets
    names = {widget.field_name for widget in widgets.values() if widget.hook_class_name.endswith("QuatrixHook")}
    assert names == {entry.name for entry in EXTRA_FIELDS}
