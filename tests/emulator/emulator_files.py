"""The file calls of the emulator, over one kept connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from emulator_api import EMAIL

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

KEY = "files-key"
NO_ID = "00000000-0000-0000-0000-000000000000"


class FileCalls:
    def __init__(self, emulator: EmulatorClient, email: str = EMAIL, key: str = KEY) -> None:
        emulator.add_api_key(key, email)
        self.emulator = emulator
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {key}"

    def call(self, method: str, path: str, body: Any = None, **kwargs: Any) -> requests.Response:
        url = self.emulator.url + (path if path.startswith("/") else f"/api/1.0/{path}")
        return self.http.request(method, url, json=body, timeout=20, **kwargs)

    def ok(self, method: str, path: str, body: Any = None, status: int = 200, **kwargs: Any) -> Any:
        answer = self.call(method, path, body, **kwargs)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: Any = None, **kwargs: Any) -> tuple[int, int]:
        answer = self.call(method, path, body, **kwargs)
        return answer.status_code, answer.json()["code"]

    @property
    def home(self) -> str:
        return str(self.ok("GET", "file/metadata", params={"content": "0"})["id"])

    def id_of(self, path: str) -> str:
        return str(self.ok("POST", "file/id", {"path": path})["file_id"])

    def stat(self, node_id: str) -> dict[str, Any]:
        return dict(self.ok("GET", f"file/metadata/{node_id}", params={"content": "0"}))

    def names(self, path: str = "") -> list[str]:
        content = self.ok("GET", f"file/metadata/{self.id_of(path)}")["content"]
        return [entry["name"] for entry in content]

    def make_folder(self, name: str, target: str = "") -> str:
        return str(self.ok("POST", "file/makedir", {"name": name, "target": target}, 201)["id"])

    def link(self, name: str = "file", parent_id: str | None = None, **members: Any) -> dict[str, Any]:
        body = {"name": name, "parent_id": parent_id or self.home, **members}
        return dict(self.ok("POST", "upload/link", body))

    def chunk(self, key: str, data: bytes, content_range: str | None) -> requests.Response:
        headers = {} if content_range is None else {"Content-Range": content_range}
        return self.call("POST", f"/upload/chunked/{key}", data=data, headers=headers)

    def finalize(self, key: str, **query: Any) -> requests.Response:
        return self.call("GET", f"upload/finalize/{key}", params=query)

    def upload(self, name: str, data: bytes, parent_id: str | None = None) -> str:
        link = self.link(name, parent_id)
        if data:
            assert self.chunk(link["upload_key"], data, f"bytes 0-{len(data) - 1}/{len(data)}").status_code == 200
        assert self.finalize(link["upload_key"]).status_code == 200
        return str(link["file_id"])

    def download_link(self, *ids: str) -> str:
        return "file/download/" + str(self.ok("POST", "file/download-link", {"ids": list(ids)})["id"])

    def download(self, *ids: str, **headers: str) -> requests.Response:
        return self.call("GET", self.download_link(*ids), headers=headers)
