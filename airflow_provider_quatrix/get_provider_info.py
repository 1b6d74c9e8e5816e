"""What Airflow's provider discovery asks for."""

from __future__ import annotations

from typing import Any

from airflow_provider_quatrix.hooks.connection import (
    CONN_TYPE,
    HOOK_CLASS,
    HOOK_NAME,
    conn_fields,
    ui_field_behaviour,
)
from airflow_provider_quatrix.version import __version__


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata; Airflow 2 and 3 read different keys of it."""
    package = "airflow_provider_quatrix"
    assets = {
        "schemes": [CONN_TYPE],
        "handler": f"{package}.assets.quatrix.sanitize_uri",
        "factory": f"{package}.assets.quatrix.create_asset",
        "to_openlineage_converter": f"{package}.assets.quatrix.convert_asset_to_openlineage",
    }
    return {
        "package-name": "airflow-provider-quatrix",
        "name": "Quatrix",
        "description": "Quatrix, the managed file-transfer service by Maytech. An independent project.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": "Quatrix", "external-doc-url": "https://www.quatrix.com", "tags": ["service"]}
        ],
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": HOOK_CLASS,
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": {key.replace("_", "-"): value for key, value in ui_field_behaviour().items()},
                "conn-fields": conn_fields(),
            }
        ],
        "hooks": [{"integration-name": "Quatrix", "python-modules": [f"{package}.hooks.quatrix"]}],
        "operators": [
            {
                "integration-name": "Quatrix",
                "python-modules": [
                    f"{package}.operators.audit",
                    f"{package}.operators.cleanup",
                    f"{package}.operators.files",
                    f"{package}.operators.session",
                    f"{package}.operators.shares",
                    f"{package}.operators.transfer",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "Quatrix",
                "python-modules": [
                    f"{package}.sensors.captcha",
                    f"{package}.sensors.files",
                    f"{package}.sensors.shares",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "Quatrix",
                "python-modules": [
                    f"{package}.triggers.captcha",
                    f"{package}.triggers.files",
                    f"{package}.triggers.session",
                    f"{package}.triggers.shares",
                ],
            }
        ],
        "task-decorators": [
            {"name": "quatrix_file_sensor", "class-name": f"{package}.decorators.files.quatrix_file_sensor_task"}
        ],
        "extra-links": [f"{package}.links.quatrix.QuatrixFilesLink", f"{package}.links.quatrix.QuatrixCaptchaLink"],
        "notifications": [f"{package}.notifications.quatrix.QuatrixNotifier"],
        "filesystems": [f"{package}.fs.quatrix"],
        # Airflow 3 loads this module at every `airflow` command.
        "cli": [f"{package}.cli.airflow_commands.get_quatrix_cli_commands"],
        # The same under the names of Airflow 3 and Airflow 2.
        "asset-uris": [assets],
        "dataset-uris": [assets],
        "config": {
            "quatrix": {
                "description": "Settings of the Quatrix provider.",
                "options": {
                    "session_store": {
                        "description": "Where the encrypted record of an account is kept: `variable`, `memory`, or the "
                        "path of a class that is made with a name and has the methods read, write and delete.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "my_company.quatrix.VaultStore",
                        "default": "variable",
                    },
                    "lock_dir": {
                        "description": "Folder for the locks that let only one process of a host sign in at a time. "
                        "Empty: a folder of the user in the host's folder for temporary files.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/var/lock/airflow-quatrix",
                        "default": "",
                    },
                },
            }
        },
    }
