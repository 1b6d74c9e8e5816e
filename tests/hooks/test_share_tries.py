"""A task shares, or asks for files, once: whatever becomes of its calls, its answers and its worker."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from forked import status_of_child
from killed_tries import KILLED, FileNotes, kill_at_call
from tries import TriedHook

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixNotFound, QuatrixPermissionDenied
from airflow_provider_quatrix.api.shares import SharesApi
from airflow_provider_quatrix.hooks import sharing
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db")

PARTNER = "partner@example.com"

CALLS: dict[str, tuple[str, Callable[..., Any]]] = {
    "share": (
        "share/create",
        partial(TriedHook.share, paths="/out/*.csv", recipients=PARTNER, subject="Figures", create_contacts=True),
    ),
    "quicklink": ("quicklink/create", partial(TriedHook.share, paths="/out/*.csv", quicklink=True, subject="Figures")),
    "request": (
        "share/request",
        partial(TriedHook.request_files, folder="/in", recipients=PARTNER, create_contacts=True, create_parents=True),
    ),
}
# A quicklink is sent to nobody.
MAILS = {"share": 1, "quicklink": 0, "request": 1}


@pytest.fixture(autouse=True)
def files(
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Files to share, shares of others that look much alike, and notes that a killed worker leaves behind."""
    quatrix_emulator.add_api_key("share-key-1", EMAIL)
    quatrix_connection(password=None, extra={"api_key": "share-key-1"})
    monkeypatch.setattr(QuatrixHook, "_checkpoint", lambda _self, _name: FileNotes(tmp_path / "notes"))
    monkeypatch.setattr(sharing, "MAIL_SECONDS", 0.0)
    for name in ("a.csv", "b.csv"):
        quatrix_emulator.put_file(EMAIL, f"/out/{name}", name.encode())
    hook = QuatrixHook()
    # The same was shared before; what is asked for now goes elsewhere.
    hook.share("/out/*.csv", PARTNER, subject="Figures", create_contacts=True, send_email=False)
    hook.share("/out/*.csv", quicklink=True, subject="Figures")
    hook.request_files("/out", PARTNER, send_email=False)


def done(emulator: EmulatorClient) -> list[dict[str, Any]]:
    """Return what was made since."""
    return emulator.shares[3:]


def made_once(emulator: EmulatorClient, what: str, result: Any) -> None:
    (made,) = done(emulator)
    assert (made["status"], made["kind"]) == ("A", what)
    assert made["id"] in QuatrixHook().share_link(result)
    # A job tells those who are asked for files.
    emulator.advance(60)
    assert len(emulator.mails) == MAILS[what]
    assert all(mail["share_id"] == made["id"] for mail in emulator.mails)


def killed_after_its_call() -> None:
    """Share in a child that is killed when it is answered."""

    def first() -> None:
        create = SharesApi.create_share

        def and_die(self: SharesApi, share: Any) -> Any:
            create(self, share)
            os._exit(KILLED)

        SharesApi.create_share = and_die  # type: ignore[method-assign]
        CALLS["share"][1](TriedHook(), resume_key="task")

    assert status_of_child(first) == KILLED


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("what", CALLS)
def test_killed_tries_share_once(quatrix_emulator: EmulatorClient, what: str, seed: int) -> None:
    call = CALLS[what][1]
    dice = random.Random(seed)  # noqa: S311

    def attempt(number: int, *, carried_out: bool, is_retry: bool) -> None:
        kill_at_call(number, carried_out=carried_out, notes=True)
        call(TriedHook(), resume_key="task", is_retry=is_retry)

    ends = []
    for tries in range(4):
        # The first try of each has more calls than that in any case.
        at, carried_out = dice.randrange(1, 14 if tries else 10), dice.random() < 0.5
        ends.append(status_of_child(partial(attempt, at, carried_out=carried_out, is_retry=tries > 0)))
    assert ends[0] == KILLED
    assert set(ends) <= {0, KILLED}
    hook = TriedHook()
    made_once(quatrix_emulator, what, call(hook, resume_key="task", is_retry=True))
    # The next run of the task does it anew.
    hook.forget_done()
    call(hook, resume_key="task")
    assert len(done(quatrix_emulator)) == 2


@pytest.mark.parametrize("what", CALLS)
def test_a_try_that_is_killed_right_after_its_call(quatrix_emulator: EmulatorClient, what: str) -> None:
    path, call = CALLS[what]

    def attempt() -> None:
        send = SharesApi.create_share, SharesApi.create_quicklink, SharesApi.request_files

        def and_die(method: Callable[..., Any]) -> Callable[..., Any]:
            def sent(*arguments: Any, **options: Any) -> Any:
                method(*arguments, **options)
                os._exit(KILLED)

            return sent

        SharesApi.create_share, SharesApi.create_quicklink, SharesApi.request_files = map(and_die, send)  # type: ignore[method-assign]
        call(TriedHook(), resume_key="task")

    assert status_of_child(attempt) == KILLED
    calls = quatrix_emulator.calls("POST", path)
    made_once(quatrix_emulator, what, call(TriedHook(), resume_key="task", is_retry=True))
    assert quatrix_emulator.calls("POST", path) == calls


@pytest.mark.parametrize("what", CALLS)
def test_an_answer_that_got_lost_is_made_up_for_in_the_same_try(quatrix_emulator: EmulatorClient, what: str) -> None:
    path, call = CALLS[what]
    quatrix_emulator.fault(path, cut="connection", execute_anyway=True)
    made_once(quatrix_emulator, what, call(TriedHook(), resume_key="task"))


@pytest.mark.parametrize("what", CALLS)
def test_an_error_after_all_was_done_is_no_failure(quatrix_emulator: EmulatorClient, what: str) -> None:
    path, call = CALLS[what]
    quatrix_emulator.fault(path, status=504, body={"code": 1, "msg": "Gateway timeout"}, execute_anyway=True)
    made_once(quatrix_emulator, what, call(TriedHook(), resume_key="task"))


def without_mail(monkeypatch: pytest.MonkeyPatch, emulator: EmulatorClient) -> None:
    """Let the service share, but tell nobody, and answer with an error."""
    from dataclasses import replace

    create = SharesApi.create_share

    def silent(self: SharesApi, share: Any) -> Any:
        create(self, replace(share, send_email=False))
        emulator.fault("share/create", status=500, body={"code": 1, "msg": "Mail server is down"})
        return create(self, share)

    monkeypatch.setattr(SharesApi, "create_share", silent)


def test_a_share_of_which_nobody_was_told_is_revoked(
    quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CALLS["share"][1]
    with monkeypatch.context() as patch:
        without_mail(patch, quatrix_emulator)
        with pytest.raises(QuatrixError, match="Mail server is down"):
            call(TriedHook(), resume_key="task")
    assert [share["status"] for share in done(quatrix_emulator)] == ["D"]
    result = call(TriedHook(), resume_key="task", is_retry=True)
    assert [share["status"] for share in done(quatrix_emulator)] == ["D", "A"]
    assert [mail["share_id"] for mail in quatrix_emulator.mails] == [done(quatrix_emulator)[1]["id"]]
    assert done(quatrix_emulator)[1]["id"] in QuatrixHook().share_link(result)


@pytest.mark.parametrize("kill_at", ["share", "discard", None])
def test_the_retry_ends_what_a_killed_try_has_told_nobody_of(
    quatrix_emulator: EmulatorClient, kill_at: str | None
) -> None:
    call = CALLS["share"][1]

    def first() -> None:
        from dataclasses import replace

        create = SharesApi.create_share

        def silent(self: SharesApi, share: Any) -> Any:
            create(self, replace(share, send_email=False))
            os._exit(KILLED)

        SharesApi.create_share = silent  # type: ignore[method-assign]
        call(TriedHook(), resume_key="task")

    def second() -> None:
        revoke = SharesApi.revoke_share

        def and_die(self: SharesApi, share_id: str) -> Any:
            if kill_at == "discard":
                revoke(self, share_id)
            os._exit(KILLED)

        SharesApi.revoke_share = and_die  # type: ignore[method-assign]
        call(TriedHook(), resume_key="task", is_retry=True)

    assert status_of_child(first) == KILLED
    if kill_at is not None:
        assert status_of_child(second) == KILLED
    call(TriedHook(), resume_key="task", is_retry=True)
    states = [share["status"] for share in done(quatrix_emulator)]
    assert (states.count("A"), len(quatrix_emulator.mails)) == (1, 1)
    assert len(states) == 2


def test_a_share_that_somebody_has_revoked_meanwhile_is_not_made_again(quatrix_emulator: EmulatorClient) -> None:
    killed_after_its_call()
    QuatrixHook().client.shares.revoke_share(done(quatrix_emulator)[0]["id"])
    CALLS["share"][1](TriedHook(), resume_key="task", is_retry=True)
    assert [share["status"] for share in done(quatrix_emulator)] == ["D"]


@pytest.mark.parametrize("what", CALLS)
def test_a_refusal_leaves_nothing_behind(quatrix_emulator: EmulatorClient, what: str, tmp_path: Path) -> None:
    path, call = CALLS[what]
    quatrix_emulator.fault(path, status=400, body={"code": 10, "msg": "Not like this"})
    with pytest.raises(QuatrixError, match="Not like this"):
        call(TriedHook(), resume_key="task")
    assert done(quatrix_emulator) == []
    assert not (tmp_path / "notes").exists()
    made_once(quatrix_emulator, what, call(TriedHook(), resume_key="task", is_retry=True))


def test_an_activity_log_that_tells_nothing_is_no_proof_of_a_missing_mail(quatrix_emulator: EmulatorClient) -> None:
    path, call = CALLS["share"]
    quatrix_emulator.fault("tracking/activity", status=403, body={"code": 50, "msg": "Restricted"}, times=None)
    quatrix_emulator.fault(path, cut="connection", execute_anyway=True)
    made_once(quatrix_emulator, "share", call(TriedHook(), resume_key="task"))


def test_a_try_that_cannot_look_leaves_it_to_the_next(quatrix_emulator: EmulatorClient) -> None:
    path, call = CALLS["share"]
    quatrix_emulator.fault(path, cut="connection", execute_anyway=True)
    quatrix_emulator.fault("tracking/", status=400, body={"code": 10, "msg": "broken"}, after=1)
    with pytest.raises(QuatrixError):
        call(TriedHook(), resume_key="task")
    made_once(quatrix_emulator, "share", call(TriedHook(), resume_key="task", is_retry=True))


def test_what_was_made_needs_no_file_any_more(quatrix_emulator: EmulatorClient) -> None:
    call = CALLS["share"][1]
    first = call(TriedHook(), resume_key="task")
    QuatrixHook().delete("/out", permanently=True)
    requests = quatrix_emulator.requests
    again = call(TriedHook(), resume_key="task", is_retry=True)
    assert {**again, "reference": ""} == {**first, "reference": ""}
    assert quatrix_emulator.requests == requests
    with pytest.raises(QuatrixNotFound):
        call(TriedHook(), resume_key="task")


def test_a_note_that_cannot_be_read_counts_as_none(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text('{"sought": {}}')
    made_once(quatrix_emulator, "share", CALLS["share"][1](TriedHook(), resume_key="task", is_retry=True))


def test_a_mail_that_comes_a_little_later_counts(
    quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after_its_call()
    monkeypatch.setattr(sharing, "MAIL_SECONDS", 60.0)
    monkeypatch.setattr(sharing, "_MAIL_PAUSE", 0.01)
    made = {"event": "share", "action": "create", "payload": {"share": done(quatrix_emulator)[0]["id"]}}
    quatrix_emulator.fault("tracking/activity", status=200, body=[made], times=2)
    made_once(quatrix_emulator, "share", CALLS["share"][1](TriedHook(), resume_key="task", is_retry=True))
    assert quatrix_emulator.calls("GET", "tracking/activity") == 3


def test_who_may_not_list_shares_shares_once_and_asks_a_person_after_a_kill(quatrix_emulator: EmulatorClient) -> None:
    call = CALLS["share"][1]
    quatrix_emulator.fault("tracking/", status=403, body={"code": 50, "msg": "Restricted"}, times=None)
    made_once(quatrix_emulator, "share", call(TriedHook(), resume_key="task"))
    killed_after_its_call()
    assert len(done(quatrix_emulator)) == 2
    with pytest.raises(QuatrixPermissionDenied):
        call(TriedHook(), resume_key="task", is_retry=True)
    assert len(done(quatrix_emulator)) == 2
