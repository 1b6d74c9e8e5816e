from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_api import EMAIL
from emulator_files import NO_ID, FileCalls

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

OTHER = "other@example.com"


@pytest.fixture
def other(emulator: EmulatorClient) -> FileCalls:
    emulator.add_user(OTHER, "pw")
    return FileCalls(emulator, OTHER, "other-key")


@pytest.fixture
def ids(emulator: EmulatorClient, other: FileCalls) -> dict[str, str]:
    return {email: user["id"] for email, user in emulator.users.items()}


def permission(user_id: str, operations: int = 3, **members: Any) -> dict[str, Any]:
    return {"user_id": user_id, "operations": operations, **members}


def create(files: FileCalls, *permissions: dict[str, Any], name: str = "Joint") -> str:
    folder = files.make_folder(name)
    body = {"file_id": folder, "name": name, "users_permissions": list(permissions)}
    return str(files.ok("POST", "project-folder/create", body, 201)["id"])


class TestCreate:
    def test_a_folder_becomes_a_project(self, files: FileCalls, ids: dict[str, str]) -> None:
        folder = files.make_folder("f")
        files.upload("a", b"1", folder)
        body = {"file_id": folder, "name": "Joint", "users_permissions": [permission(ids[OTHER], notify=True)]}
        answer = files.ok("POST", "project-folder/create", body, 201)
        assert answer == {"id": answer["id"], "name": "Joint"}
        assert answer["id"] != folder
        assert files.stat(folder)["type"] == "S"
        assert files.names("Joint") == ["a"]
        (listed,) = files.ok("GET", "project-folder")
        assert listed == {
            "project_id": answer["id"],
            "file_id": folder,
            "name": "Joint",
            "ctime": listed["ctime"],
            "owner": {"id": ids[EMAIL], "email": EMAIL, "name": "robot"},
        }
        users = [
            {"user_id": ids[EMAIL], "operations": 65535, "owns": True, "notify": False},
            {"user_id": ids[OTHER], "operations": 3, "owns": False, "notify": True},
        ]
        assert files.ok("GET", f"project-folder/users/{answer['id']}") == users
        assert files.ok("GET", f"project-folder/metadata/{answer['id']}") == {
            "folder_name": "Joint",
            "created": listed["ctime"],
            "creator": listed["owner"],
            "users": users,
        }

    @pytest.mark.parametrize(
        ("members", "refusal"),
        [
            ({"file_id": None}, (400, 11)),
            ({"name": None}, (400, 11)),
            ({"users_permissions": None}, (400, 11)),
            ({"users_permissions": [{"operations": 1}]}, (400, 11)),
            ({"users_permissions": [permission("x", -1)]}, (400, 10)),
            ({"users_permissions": [permission(NO_ID)]}, (404, 20)),
            ({"users_permissions": "x"}, (400, 10)),
            ({"file_id": NO_ID}, (404, 20)),
            ({"name": "a/b"}, (400, 10)),
        ],
    )
    def test_bad_projects(self, files: FileCalls, members: dict[str, Any], refusal: tuple[int, int]) -> None:
        folder = files.make_folder("f")
        body = {"file_id": folder, "name": "Joint", "users_permissions": [], **members}
        assert files.refused("POST", "project-folder/create", body) == refusal
        assert files.ok("GET", "project-folder") == []
        assert (files.stat(folder)["type"], files.stat(folder)["name"]) == ("D", "f")

    def test_what_cannot_become_one(self, files: FileCalls, emulator: EmulatorClient) -> None:
        file_id, project = emulator.put_file(EMAIL, "a", b"1"), emulator.make_project_folder(EMAIL, "S")
        for node in (file_id, project, files.home, files.id_of("Trash")):
            body = {"file_id": node, "name": "x", "users_permissions": []}
            assert files.refused("POST", "project-folder/create", body) == (400, 10)

    def test_made_by_control_call(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node = emulator.make_project_folder(EMAIL, "S")
        (listed,) = files.ok("GET", "project-folder")
        assert (listed["file_id"], listed["name"]) == (node, "S")
        assert files.ok("GET", "project-folder") == [listed]
        files.ok("POST", "file/delete", {"ids": [node]})
        assert files.ok("GET", "project-folder") == []


class TestUsers:
    def test_add_edit_and_remove(self, files: FileCalls, other: FileCalls, ids: dict[str, str]) -> None:
        project = create(files)
        assert other.ok("GET", "project-folder") == []
        body = {"users_permissions": [permission(ids[OTHER]), permission(ids[EMAIL], 1)]}
        users = files.ok("POST", f"project-folder/add-users/{project}", body)
        assert [(user["user_id"], user["operations"]) for user in users] == [(ids[EMAIL], 65535), (ids[OTHER], 3)]
        assert [one["project_id"] for one in other.ok("GET", "project-folder")] == [project]
        body = {"users_permissions": [permission(ids[OTHER], 7)], "notify": True}
        assert files.ok("POST", f"project-folder/edit-users/{project}", body)[1]["operations"] == 7
        body = {"users": [{"user_id": ids[OTHER], "project_id": [project]}]}
        gone = files.ok("POST", "project-folder/delete-users/", body)
        assert gone == [{"user_id": ids[OTHER], "project_id": project}]
        assert files.ok("POST", "project-folder/delete-users/", body) == []
        assert other.ok("GET", "project-folder") == []
        body = {"users_permissions": [permission(ids[OTHER], 7)]}
        assert files.refused("POST", f"project-folder/edit-users/{project}", body) == (404, 20)

    def test_several_projects(self, files: FileCalls, ids: dict[str, str]) -> None:
        first, second = create(files), create(files, name="Second")
        params = [{"project_id": first, "operations": 1}, {"project_id": second, "operations": 2, "notify": False}]
        body = {"users": [{"user_id": ids[OTHER], "params": params}]}
        assert files.ok("POST", "project-folder/set-users", body) == [
            {"user_id": ids[OTHER], "project_id": first, "operations": 1, "notify": True},
            {"user_id": ids[OTHER], "project_id": second, "operations": 2, "notify": False},
        ]
        found = files.ok("POST", "project-folder/project-users", {"ids": [ids[OTHER]]})
        assert found[1] == {
            "user_id": ids[OTHER],
            "project_id": second,
            "operations": 2,
            "owner": False,
            "notify": False,
        }
        assert [one["owner"] for one in files.ok("POST", "project-folder/project-users", {"ids": [ids[EMAIL]]})] == [
            True,
            True,
        ]

    def test_refusals(self, files: FileCalls, other: FileCalls, ids: dict[str, str]) -> None:
        project = create(files, permission(ids[OTHER]))
        body: dict[str, Any] = {"users": [{"user_id": NO_ID, "params": [{"project_id": project, "operations": 1}]}]}
        assert files.refused("POST", "project-folder/set-users", body) == (404, 20)
        body = {"users": [{"user_id": ids[OTHER], "params": [{"project_id": NO_ID, "operations": 1}]}]}
        assert files.refused("POST", "project-folder/set-users", body) == (404, 20)
        assert files.refused("POST", "project-folder/set-users", {"users": []}) == (400, 10)
        assert files.refused("POST", "project-folder/project-users", {}) == (400, 11)
        for path in ("users", "metadata", "delete"):
            assert files.refused("GET", f"project-folder/{path}/{NO_ID}") == (404, 20)
        body = {"users_permissions": [permission(ids[OTHER])]}
        assert other.refused("POST", f"project-folder/add-users/{project}", body) == (403, 50)
        assert other.refused("GET", f"project-folder/delete/{project}") == (403, 50)
        assert len(other.ok("GET", f"project-folder/users/{project}")) == 2

    def test_it_needs_credentials(self, files: FileCalls) -> None:
        assert files.refused("GET", "project-folder", headers={"Authorization": None}) == (401, 70)


def test_back_to_a_normal_folder(files: FileCalls) -> None:
    project = create(files)
    files.upload("a", b"1", files.id_of("Joint"))
    assert files.ok("GET", f"project-folder/delete/{project}") == {"id": project}
    assert files.stat(files.id_of("Joint"))["type"] == "D"
    assert files.names("Joint") == ["a"]
    assert files.ok("GET", "project-folder") == []
