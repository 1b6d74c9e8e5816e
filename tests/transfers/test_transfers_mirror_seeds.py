"""Mirrors whose sides both change between runs, and whose workers are killed: in the end both sides are equal."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from forking import Workers
from transfer_notes import USER

from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient

CHILD = Path(__file__).with_name("mirror_child.py")
NAMES = ("a", "b c", "ü.csv", "d")
ROUNDS = 3
# Airflow 2 takes a second or more to begin in each process, and what is tested does not depend on it.
SEEDS = 4 if version("apache-airflow").startswith("2.") else 20

Tree = dict[str, bytes | None]


class Side(Protocol):
    """A folder on one of the sides."""

    path: str

    def tree(self) -> Tree:
        """Return all that is below it: files with their bytes, folders without."""

    def write(self, name: str, data: bytes) -> None: ...

    def make(self, name: str) -> None: ...

    def remove(self, name: str) -> None: ...


class Local:
    def __init__(self, folder: Path) -> None:
        self.path = str(folder)
        self._folder = folder
        folder.mkdir()

    def tree(self) -> Tree:
        return {
            str(path.relative_to(self._folder)): path.read_bytes() if path.is_file() else None
            for path in self._folder.rglob("*")
        }

    def write(self, name: str, data: bytes) -> None:
        self.make(str(Path(name).parent))
        (self._folder / name).write_bytes(data)

    def make(self, name: str) -> None:
        (self._folder / name).mkdir(parents=True, exist_ok=True)

    def remove(self, name: str) -> None:
        path = self._folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


class Remote:
    def __init__(self, emulator: EmulatorClient, path: str) -> None:
        self.path = path
        self._emulator = emulator
        emulator.make_folder(USER, path)

    def tree(self) -> Tree:
        return {
            entry["path"].removeprefix(self.path + "/"): self._emulator.read_file(USER, entry["path"])
            if entry["type"] == "F"
            else None
            for entry in self._emulator.files(USER)
            # Of an unfinished upload nobody can tell that it is not somebody else's.
            if entry["path"].startswith(self.path + "/") and not is_temporary(entry["path"].rsplit("/", 1)[-1])
        }

    def write(self, name: str, data: bytes) -> None:
        self._emulator.put_file(USER, f"{self.path}/{name}", data)

    def make(self, name: str) -> None:
        self._emulator.make_folder(USER, f"{self.path}/{name}")

    def remove(self, name: str) -> None:
        self._emulator.remove_file(USER, f"{self.path}/{name}")


def change(side: Side, rng: random.Random) -> None:
    """Do a few things that people and programs do to a folder; files become folders, too, and the other way round."""
    tree = side.tree()

    def remove(name: str) -> None:
        side.remove(name)
        for path in [path for path in tree if path == name or path.startswith(name + "/")]:
            del tree[path]

    for _ in range(rng.randrange(1, 6)):
        place = [rng.choice(NAMES) for _ in range(rng.choice((1, 1, 2, 3)))]
        name, above = "/".join(place), ["/".join(place[:level]) for level in range(1, len(place))]
        what = rng.choice(("write", "write", "write", "remove", "make"))
        if what == "remove":
            if tree:
                remove(rng.choice(sorted(tree)))
            continue
        for there in above:
            if tree.get(there) is not None:
                remove(there)
            tree[there] = None
        # Often as many bytes as before.
        data = None if what == "make" else rng.randbytes(rng.choice((0, 1, 1, 1, 3000)))
        if name in tree and (data is None or tree[name] is None):
            remove(name)
        if data is None:
            side.make(name)
        else:
            side.write(name, data)
        tree[name] = data


@dataclass
class Worker:
    """Runs mirrors in processes of their own."""

    workers: Workers
    order: dict[str, Any]

    def run(self, resume_key: str, *, kill_at: int = 0, **how: Any) -> dict[str, Any] | None:
        """Run one to its end, or until it is killed; then there is no result."""
        how = {**self.order["how"], "resume_key": resume_key, **how}
        answer = self.workers.run({**self.order, "kill_at": kill_at, "how": how})
        result: dict[str, Any] | None = None if answer is None else json.loads(answer)
        return result


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with Workers(CHILD, AIRFLOW_HOME=str(tmp_path_factory.mktemp("airflow"))) as workers:
        yield workers


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_sides_are_equal_in_the_end(
    quatrix_emulator: EmulatorClient, workers: Workers, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311
    quatrix_emulator.add_api_key("mirror-key", USER)
    local, remote = Local(tmp_path / "mirror"), Remote(quatrix_emulator, "/mirror")
    neighbours: tuple[Side, ...] = (Local(tmp_path / "mirror-2"), Remote(quatrix_emulator, "/mirror-2"))
    for neighbour in neighbours:
        neighbour.write("a", b"not to be touched")
        neighbour.write("gone/b", b"nor this")
    untouched = [neighbour.tree() for neighbour in neighbours]
    source, target, way = (local, remote, "upload") if seed % 2 else (remote, local, "download")
    notes = tmp_path / "notes"
    notes.mkdir()
    worker = Worker(
        workers,
        {
            "url": quatrix_emulator.url,
            "api_key": "mirror-key",
            "notes": str(notes),
            "answer": str(tmp_path / "answer"),
            "way": way,
            "source": source.path,
            "target": target.path,
            "how": {"if_exists": rng.choice(("update", "update", "overwrite")), "delete_extra": True},
        },
    )
    kills = 0
    for number in range(ROUNDS):
        tries = 0
        while True:
            change(source, rng)
            change(target, rng)
            if worker.run(f"run {number}", kill_at=rng.randrange(1, 30), is_retry=tries > 0) is not None:
                assert target.tree() == source.tree()
                break
            kills += 1
            tries += 1
            if rng.random() < 0.5:
                break
    change(source, rng)
    change(target, rng)
    before = target.tree()
    told = worker.run("last run", dry_run=True)
    assert target.tree() == before
    done = worker.run("last run")
    assert told == done
    assert target.tree() == source.tree()
    again = worker.run("another run", dry_run=True, if_exists="update")
    assert again is not None
    assert (again["sent"], again["deleted"]) == ([], [])
    assert [neighbour.tree() for neighbour in neighbours] == untouched
