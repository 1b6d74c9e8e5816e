"""Another try of a task, after its worker was lost or somebody has changed the files between the tries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import logged_cleanly, new_dag, run
from meanwhile import ahead_of
from tries import TriedHook

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound, QuatrixPermissionDenied
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.operators.files import (
    QuatrixCopyOperator,
    QuatrixDeleteOperator,
    QuatrixMakeDirectoryOperator,
    QuatrixMoveOperator,
)
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

TIME = 1_700_000_000.25


def remote(emulator: EmulatorClient) -> dict[str, bytes]:
    """Return all files, those in the Trash too."""
    return {
        entry["path"]: emulator.read_file(EMAIL, entry["path"])
        for entry in emulator.files(EMAIL)
        if entry["type"] == "F"
    }


def put(emulator: EmulatorClient, **files: bytes) -> None:
    """Store files at paths in which ``__`` stands for a slash and ``_`` for a dot."""
    for name, data in files.items():
        emulator.put_file(EMAIL, "/" + name.replace("__", "/").replace("_", "."), data, modified=TIME)


def fail_once(emulator: EmulatorClient, path: str, *, after: int = 0, execute_anyway: bool = False) -> None:
    """Let a call fail such that no layer below the task repeats it; carried out, only its answer is lost."""
    emulator.fault(path, status=400, body={"code": 10, "msg": "broken"}, after=after, execute_anyway=execute_anyway)


def lose_first_success() -> Callable[..., None]:
    """Return what ends the first try of a task when its work is done, before Airflow records it."""

    def lose(context: Any, result: Any = None) -> None:
        if context["ti"].try_number == 1:
            raise RuntimeError("the worker was lost")

    return lose


def retried(**arguments: Any) -> dict[str, Any]:
    return {"retries": 1, "retry_delay": timedelta(0), **arguments}


# The success is lost

LOST: dict[str, tuple[type, dict[str, Any], str, Any]] = {
    "move": (QuatrixMoveOperator, {"source": "/s/a", "target": "/t/b"}, "moveone", "/t/b"),
    "move into a folder": (
        QuatrixMoveOperator,
        {"source": ["/s/a"], "target": "/t/", "if_exists": "rename"},
        "moveone",
        ["/t/a(1)"],
    ),
    "rename within a folder": (
        QuatrixMoveOperator,
        {"source": "/t/a", "target": "/t/b(1)", "if_exists": "rename"},
        "moveone",
        "/t/b(1)",
    ),
    "copy": (QuatrixCopyOperator, {"source": "/s/a", "target": "/t/c"}, "copyone", "/t/c"),
    "copy with rename": (
        QuatrixCopyOperator,
        {"source": "/s/a", "target": "/t/a", "if_exists": "rename"},
        "copyone",
        "/t/a(1)",
    ),
    "copy over": (
        QuatrixCopyOperator,
        {"source": "/s/a", "target": "/t/a", "if_exists": "overwrite"},
        "copyone",
        "/t/a",
    ),
    "copy beside itself": (
        QuatrixCopyOperator,
        {"source": "/s/a", "target": "/s/a", "if_exists": "rename"},
        "copyone",
        "/s/a(1)",
    ),
    "copy a folder": (
        QuatrixCopyOperator,
        {"source": "/s/d", "target": "/t/d", "if_exists": "rename"},
        "copyone",
        "/t/d",
    ),
    "delete": (QuatrixDeleteOperator, {"path": "/s/a"}, "delete", 1),
    "delete a pattern": (QuatrixDeleteOperator, {"path": "/s/**/*", "permanently": True}, "delete", 2),
    "make": (QuatrixMakeDirectoryOperator, {"path": "/t/m", "exist_ok": False}, "makedir", "/t/m"),
}


@pytest.mark.parametrize("what", LOST)
def test_what_was_done_is_found_done_when_its_success_was_lost(what: str, quatrix_emulator: EmulatorClient) -> None:
    operator, arguments, call, expected = LOST[what]
    # What is at the target already equals what is to go there.
    put(quatrix_emulator, s__a=b"1", t__a=b"1", s__d__x=b"22")
    with new_dag() as dag:
        operator(task_id="task", post_execute=lose_first_success(), **retried(**arguments))
    outcome = run(dag).tasks["task"]
    assert (outcome.state, outcome.tries) == ("success", 2)
    assert quatrix_emulator.calls("POST", f"file/{call}") == 1
    result = outcome.xcom
    if isinstance(result, list):
        assert [entry["path"] for entry in result] == expected
    else:
        assert (result["path"] if isinstance(result, dict) else result) == expected
    if isinstance(result, dict):
        assert result.get("skipped", False) is False


def test_what_is_recorded_as_done_is_done_anew_by_the_next(quatrix_emulator: EmulatorClient) -> None:
    put(quatrix_emulator, s__a=b"1")
    quatrix_emulator.make_folder(EMAIL, "/t")
    hook = TriedHook()
    arguments: dict[str, Any] = {"if_exists": "rename", "resume_key": "task"}
    assert [done.path for done in hook.copy_many("/s/a", "/t/a", **arguments)] == ["/t/a"]
    assert [done.path for done in TriedHook().copy_many("/s/a", "/t/a", is_retry=True, **arguments)] == ["/t/a"]
    hook.forget_done()
    # Somebody clears the task that has succeeded.
    again = TriedHook().copy_many("/s/a", "/t/a", is_retry=True, **arguments)
    assert [done.path for done in again] == ["/t/a(1)"]


# Somebody changes the files between the tries


def test_another_try_deletes_no_newcomers(quatrix_emulator: EmulatorClient) -> None:
    names = [f"{number:02}.csv" for number in range(12)]
    for name in names:
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", b"old")
    # Ten go with the first call; the second fails.
    fail_once(quatrix_emulator, "file/delete", after=1)
    new = {"/in/00.csv": b"new", "/in/99.csv": b"new"}

    def arrive(_context: Any) -> None:
        for path, data in new.items():
            quatrix_emulator.put_file(EMAIL, path, data)

    with new_dag() as dag:
        for task_id, path in (("pattern", "/in/*.csv"),):
            QuatrixDeleteOperator(task_id=task_id, path=path, permanently=True, on_retry_callback=arrive, **retried())
    outcome = run(dag).tasks["pattern"]
    assert (outcome.state, outcome.tries, outcome.xcom) == ("success", 2, 12)
    assert remote(quatrix_emulator) == new


def test_another_try_deletes_no_newcomer_at_a_path_by_name(quatrix_emulator: EmulatorClient) -> None:
    put(quatrix_emulator, in__a=b"old")
    with new_dag() as dag:
        QuatrixDeleteOperator(
            task_id="task",
            path=["/in/a"],
            permanently=True,
            post_execute=lose_first_success(),
            on_retry_callback=lambda _context: put(quatrix_emulator, in__a=b"new"),
            **retried(),
        )
    outcome = run(dag).tasks["task"]
    assert (outcome.state, outcome.xcom) == ("success", 1)
    assert remote(quatrix_emulator) == {"/in/a": b"new"}


@pytest.mark.parametrize("what", ["move", "copy"])
def test_nothing_is_fetched_back_from_the_trash(
    what: str, quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    put(quatrix_emulator, in__a=b"a", in__b=b"b", in__c=b"c")
    fail_once(quatrix_emulator, f"file/{what}one", after=1)
    operator = QuatrixMoveOperator if what == "move" else QuatrixCopyOperator
    with new_dag() as dag:
        operator(
            task_id="task",
            source="/in/*",
            target="/out/",
            create_parents=True,
            on_retry_callback=lambda _context: QuatrixHook().delete("/in/b"),
            **retried(),
        )
    outcome = run(dag).tasks["task"]
    assert (outcome.state, outcome.tries) == ("failed", 2)
    assert "There is nothing at '/in/b'" in logged_cleanly(capfd)
    kept = {"/in/a": b"a"} if what == "copy" else {}
    assert remote(quatrix_emulator) == {**kept, "/out/a": b"a", "/in/c": b"c", "/Trash/b": b"b"}


@pytest.mark.parametrize("what", ["move", "copy"])
def test_a_task_that_was_refused_in_the_middle_goes_on_when_it_is_cleared(
    what: str, quatrix_emulator: EmulatorClient
) -> None:
    put(quatrix_emulator, in__a=b"a", in__b=b"b")
    quatrix_emulator.make_folder(EMAIL, "/out")
    quatrix_emulator.fault(f"file/{what}one", after=1, status=403, body={"code": 50, "msg": "No permission"})
    arguments: dict[str, Any] = {"if_exists": "rename", "resume_key": "task"}
    act = getattr(TriedHook(), f"{what}_many")
    with pytest.raises(QuatrixPermissionDenied):
        act(["/in/a", "/in/b"], "/out/", **arguments)
    act = getattr(TriedHook(), f"{what}_many")
    done = act(["/in/a", "/in/b"], "/out/", is_retry=True, **arguments)
    assert [result.path for result in done] == ["/out/a", "/out/b"]
    assert quatrix_emulator.calls("POST", f"file/{what}one") == 3
    kept = {"/in/a": b"a", "/in/b": b"b"} if what == "copy" else {}
    assert remote(quatrix_emulator) == {**kept, "/out/a": b"a", "/out/b": b"b"}


def test_a_task_that_was_refused_at_once_begins_anew_when_it_is_cleared(quatrix_emulator: EmulatorClient) -> None:
    put(quatrix_emulator, in__a=b"a")
    quatrix_emulator.make_folder(EMAIL, "/out")
    quatrix_emulator.fault("file/moveone", status=403, body={"code": 50, "msg": "No permission"})
    with pytest.raises(QuatrixPermissionDenied):
        TriedHook().move_many("/in/*", "/out/", resume_key="task")
    put(quatrix_emulator, in__b=b"b")
    done = TriedHook().move_many("/in/*", "/out/", resume_key="task", is_retry=True)
    assert [result.path for result in done] == ["/out/a", "/out/b"]


LOOKALIKES: dict[str, Callable[[EmulatorClient], Any]] = {
    # Only the size is the same.
    "size": lambda emulator: emulator.put_file(EMAIL, "/out/a", b"xyz", modified=TIME + 60),
    # Only the time is the same.
    "time": lambda emulator: emulator.put_file(EMAIL, "/out/a", b"longer", modified=TIME),
    # A folder may have as many entries as a file has bytes.
    "kind": lambda emulator: emulator.put_files(EMAIL, [f"/out/a/{number}" for number in range(3)]),
}


@pytest.mark.parametrize("alike", LOOKALIKES)
def test_what_only_looks_like_a_copy_is_not_taken_for_it(alike: str, quatrix_emulator: EmulatorClient) -> None:
    put(quatrix_emulator, in__a=b"abc")
    fail_once(quatrix_emulator, "file/copyone")
    with new_dag() as dag:
        QuatrixCopyOperator(
            task_id="task",
            source="/in/a",
            target="/out/a",
            if_exists="rename",
            create_parents=True,
            on_retry_callback=lambda _context: LOOKALIKES[alike](quatrix_emulator),
            **retried(),
        )
    outcome = run(dag).tasks["task"]
    assert (outcome.state, outcome.tries, outcome.xcom["path"]) == ("success", 2, "/out/a(1)")
    assert remote(quatrix_emulator)["/out/a(1)"] == b"abc"


def test_an_equal_file_of_yesterday_is_not_the_copy_of_today(quatrix_emulator: EmulatorClient) -> None:
    put(quatrix_emulator, in__a=b"abc", out__a=b"abc")
    fail_once(quatrix_emulator, "file/copyone")
    with new_dag() as dag:
        QuatrixCopyOperator(task_id="task", source="/in/a", target="/out/a", if_exists="rename", **retried())
    outcome = run(dag).tasks["task"]
    assert (outcome.state, outcome.tries, outcome.xcom["path"]) == ("success", 2, "/out/a(1)")


def test_a_source_that_was_moved_to_the_target_is_not_its_own_copy(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    put(quatrix_emulator, in__a=b"abc")
    quatrix_emulator.make_folder(EMAIL, "/out")
    fail_once(quatrix_emulator, "file/copyone")
    with new_dag() as dag:
        QuatrixCopyOperator(
            task_id="task",
            source="/in/a",
            target="/out/a",
            on_retry_callback=lambda _context: QuatrixHook().move("/in/a", "/out/a"),
            **retried(),
        )
    outcome = run(dag).tasks["task"]
    assert (outcome.state, outcome.tries) == ("failed", 2)
    assert "There is nothing at '/in/a'" in logged_cleanly(capfd)


def test_two_copies_of_one_plan_are_not_taken_for_each_other(quatrix_emulator: EmulatorClient) -> None:
    # The first is renamed to what the second is called.
    put(quatrix_emulator, x__a=b"1", out__a=b"old", in__a=b"abc")
    quatrix_emulator.put_file(EMAIL, "/in/a(1)", b"abc", modified=TIME)
    fail_once(quatrix_emulator, "file/copyone", after=1)
    with new_dag() as dag:
        QuatrixCopyOperator(task_id="task", source="/in/*", target="/out/", if_exists="rename", **retried())
    outcome = run(dag).tasks["task"]
    assert (outcome.state, outcome.tries) == ("success", 2)
    assert len({entry["path"] for entry in outcome.xcom}) == 2
    copies = {path: data for path, data in remote(quatrix_emulator).items() if path.startswith("/out/")}
    assert sorted(copies.values()) == [b"abc", b"abc", b"old"]


def test_mapped_tasks_keep_their_notes_apart(quatrix_emulator: EmulatorClient) -> None:
    put(quatrix_emulator, in__a=b"abc")
    quatrix_emulator.make_folder(EMAIL, "/out")
    with new_dag() as dag:
        QuatrixCopyOperator.partial(
            task_id="task",
            source="/in/a",
            target="/out/a",
            if_exists="rename",
            post_execute=lose_first_success(),
            **retried(),
        ).expand(create_parents=[False, True])
    outcome = run(dag)
    assert {done.tries for done in outcome.tasks.values()} == {2}
    paths = [outcome.tasks[f"task[{index}]"].xcom["path"] for index in range(2)]
    assert sorted(paths) == ["/out/a", "/out/a(1)"]
    assert quatrix_emulator.calls("POST", "file/copyone") == 2


# Somebody takes the name meanwhile, or an answer is lost


def taken_meanwhile(emulator: EmulatorClient, call: str, path: str) -> AbstractContextManager[None]:
    """Let somebody put a file at a path just before a call."""
    return ahead_of(f"POST /api/1.0/file/{call}one", lambda: emulator.put_file(EMAIL, path, b"other"))


@pytest.mark.parametrize("mode", ["fail", "skip", "overwrite", "rename"])
@pytest.mark.parametrize("what", ["move", "copy"])
def test_a_name_that_is_taken_meanwhile_is_met_as_the_mode_says(
    what: str, mode: str, quatrix_emulator: EmulatorClient
) -> None:
    put(quatrix_emulator, in__a=b"abc")
    quatrix_emulator.make_folder(EMAIL, "/out")
    hook = QuatrixHook()
    taken = taken_meanwhile(quatrix_emulator, what, "/out/a")
    act = getattr(hook, f"{what}_many")
    if mode == "fail":
        with pytest.raises(QuatrixConflict), taken:
            act("/in/a", "/out/a", if_exists=mode)
        assert remote(quatrix_emulator) == {"/in/a": b"abc", "/out/a": b"other"}
        return
    with taken:
        (done,) = act("/in/a", "/out/a", if_exists=mode)
    assert (done.path, done.skipped) == ("/out/a(1)" if mode == "rename" else "/out/a", mode == "skip")
    files = remote(quatrix_emulator)
    assert files["/out/a"] == (b"abc" if mode == "overwrite" else b"other")
    assert ("/in/a" in files) == (what == "copy" or mode == "skip")


def test_a_move_with_rename_whose_answer_is_lost_is_done_once(quatrix_emulator: EmulatorClient) -> None:
    put(quatrix_emulator, s__f=b"new", t__n=b"old")
    quatrix_emulator.put_file(EMAIL, "/t/m(1)", b"beside")
    hook = QuatrixHook()
    for source, target, expected in (
        ("/s/f", "/t/n", "/t/n(1)"),
        # It has a counted name in the right folder before it is moved.
        ("/t/m(1)", "/t/m", "/t/m"),
    ):
        before = quatrix_emulator.calls("POST", "file/moveone")
        quatrix_emulator.fault("file/moveone", cut="connection", execute_anyway=True)
        (done,) = hook.move_many(source, target, if_exists="rename")
        assert done.path == expected
        assert quatrix_emulator.calls("POST", "file/moveone") - before == 1
    quatrix_emulator.fault("file/moveone", cut="connection")
    (done,) = hook.move_many("/t/m", "/t/m(1)", if_exists="rename")
    assert done.path == "/t/m(1)"
    assert remote(quatrix_emulator) == {"/t/n": b"old", "/t/n(1)": b"new", "/t/m(1)": b"beside"}


def test_a_folder_that_somebody_makes_meanwhile_is_his(quatrix_emulator: EmulatorClient) -> None:
    hook = QuatrixHook()
    made = hook.make_directory("/new", exist_ok=False)
    assert made == hook.make_directory("/new")
    with pytest.raises(QuatrixConflict, match="'/new' exists: set exist_ok=True if that is fine"):
        hook.make_directory("/new", exist_ok=False)
    files = hook.client.files
    send = files.make_folder

    def late(*arguments: Any, **named: Any) -> Any:
        quatrix_emulator.make_folder(EMAIL, "/other")
        return send(*arguments, **named)

    files.make_folder = late  # type: ignore[method-assign]
    with pytest.raises(QuatrixConflict, match="'/other' exists: set exist_ok=True"):
        hook.make_directory("/other", exist_ok=False)
    del files.make_folder
    quatrix_emulator.fault("file/makedir", cut="connection", execute_anyway=True)
    assert hook.make_directory("/lost", exist_ok=False)
    assert quatrix_emulator.calls("POST", "file/makedir") == 3


def test_another_try_of_a_folder_knows_its_own(quatrix_emulator: EmulatorClient) -> None:
    hook = TriedHook()
    arguments: dict[str, Any] = {"exist_ok": False, "resume_key": "task"}
    made = hook.make_directory("/new", **arguments)
    assert TriedHook().make_directory("/new", is_retry=True, **arguments) == made
    hook.delete("/new")
    quatrix_emulator.make_folder(EMAIL, "/new")
    with pytest.raises(QuatrixConflict, match="'/new' exists"):
        TriedHook().make_directory("/new", is_retry=True, **arguments)
    with pytest.raises(QuatrixNotFound, match="There is no folder '/missing'"):
        hook.make_directory("/missing/new", exist_ok=False)
