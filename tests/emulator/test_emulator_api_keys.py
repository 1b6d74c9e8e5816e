from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from emulator_api import EMAIL
from emulator_files import NO_ID

if TYPE_CHECKING:
    from emulator_api import Api
    from emulator_files import FileCalls

    from airflow_provider_quatrix.emulator.client import EmulatorClient

MEMBERS = {"id", "role_id", "name", "email", "key", "hint", "created", "modified", "status"}


def test_the_key_is_shown_once(files: FileCalls, api: Api) -> None:
    made = files.ok("POST", "api-key/create", {"name": "robot"}, 201)
    assert set(made) == MEMBERS
    assert (made["name"], made["email"], made["status"]) == ("robot", EMAIL, "A")
    assert made["hint"] == made["key"][-4:]
    assert made["role_id"] == files.ok("GET", "profile")["id"]
    assert api.bearer(made["key"], "profile").status_code == 200
    hidden = {**made, "key": None}
    assert files.ok("GET", f"api-key/metadata/{made['id']}") == hidden
    assert hidden in files.ok("GET", "api-key")
    assert hidden in files.ok("GET", f"api-key/{made['role_id']}")


def test_a_key_is_switched_off_and_on(files: FileCalls, api: Api, emulator: EmulatorClient) -> None:
    made = files.ok("POST", "api-key/create", {}, 201)
    assert (made["name"], made["status"]) == ("", "A")
    emulator.advance(10)
    off = files.ok("POST", f"api-key/update/{made['id']}", {"status": "D", "name": "new"})
    assert (off["id"], off["status"], off["name"]) == (made["id"], "D", "new")
    assert (off["created"], off["modified"] >= made["modified"] + 10) == (made["created"], True)
    assert api.bearer(made["key"], "profile").status_code == 401
    assert files.ok("POST", f"api-key/update/{made['id']}", {"status": "A"})["name"] == "new"
    assert api.bearer(made["key"], "profile").status_code == 200


def test_a_key_made_switched_off(files: FileCalls, api: Api) -> None:
    made = files.ok("POST", "api-key/create", {"status": "D"}, 201)
    assert api.bearer(made["key"], "profile").status_code == 401


def test_a_deleted_key_is_dead(files: FileCalls, api: Api) -> None:
    made = files.ok("POST", "api-key/create", {}, 201)
    assert files.ok("GET", f"api-key/delete/{made['id']}") == {"id": made["id"]}
    assert api.bearer(made["key"], "profile").status_code == 401
    assert files.refused("GET", f"api-key/delete/{made['id']}") == (404, 20)


def test_keys_of_others(files: FileCalls, api: Api, emulator: EmulatorClient) -> None:
    emulator.add_user("other@example.com", "pw")
    token = api.session("other@example.com", "pw")
    other_id = api.profile(token).json()["id"]
    made = files.ok("POST", "api-key/create", {}, 201)
    assert files.refused("GET", f"api-key/{other_id}") == (403, 50)
    assert files.refused("POST", "api-key/create", {"role_id": other_id}) == (403, 50)
    assert files.refused("POST", "api-key/create", {"role_id": NO_ID}) == (404, 20)
    assert api.call("GET", "api-key", token).json() == []
    assert api.call("GET", f"api-key/metadata/{made['id']}", token).status_code == 404
    assert api.call("GET", f"api-key/{other_id}", token).json() == []


@pytest.mark.parametrize("body", [{"status": "X"}, {"status": 5}, {"name": 5}, {"role_id": 5}])
def test_bad_parameters(files: FileCalls, body: dict[str, object]) -> None:
    assert files.refused("POST", "api-key/create", body) == (400, 10)
