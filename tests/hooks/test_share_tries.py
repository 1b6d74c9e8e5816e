"""A task shares, or asks for files, once: whatever becomes of its calls, its answers and its worker."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from forked import status_of_child
from killed_tries import KILLED, die, kill_at
from meanwhile import AsSoonAs, ahead_of
from tries import TriedHook

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixNotFound, QuatrixPermissionDenied
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
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "killed_tries.FileStore")
    monkeypatch.setenv("QUATRIX_TEST_STORE", str(tmp_path / "notes"))
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


def killed_after(path: str, what: str = "share") -> None:
    """Let a child do it that is killed when a call is answered."""

    def attempt() -> None:
        hook = TriedHook()
        hook.client.observe(AsSoonAs(path, die))
        CALLS[what][1](hook, resume_key="task")

    assert status_of_child(attempt) == KILLED


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("what", CALLS)
def test_killed_tries_share_once(quatrix_emulator: EmulatorClient, what: str, seed: int) -> None:
    call = CALLS[what][1]
    dice = random.Random(seed)  # noqa: S311

    def attempt(step: int, *, is_retry: bool) -> None:
        kill_at(step)
        call(TriedHook(), resume_key="task", is_retry=is_retry)

    ends = []
    for tries in range(4):
        # The first try of each has more steps than that in any case.
        step = dice.randrange(1, 20 if tries else 10)
        ends.append(status_of_child(partial(attempt, step, is_retry=tries > 0)))
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
    killed_after(path, what)
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


def test_a_share_of_which_nobody_was_told_is_revoked(quatrix_emulator: EmulatorClient) -> None:
    path, call = CALLS["share"]
    quatrix_emulator.configure(share_mails=False)
    quatrix_emulator.fault(path, status=500, body={"code": 1, "msg": "Mail server is down"}, execute_anyway=True)
    with pytest.raises(QuatrixError, match="Mail server is down"):
        call(TriedHook(), resume_key="task")
    quatrix_emulator.configure(share_mails=True)
    assert [share["status"] for share in done(quatrix_emulator)] == ["D"]
    result = call(TriedHook(), resume_key="task", is_retry=True)
    assert [share["status"] for share in done(quatrix_emulator)] == ["D", "A"]
    assert [mail["share_id"] for mail in quatrix_emulator.mails] == [done(quatrix_emulator)[1]["id"]]
    assert done(quatrix_emulator)[1]["id"] in QuatrixHook().share_link(result)


@pytest.mark.parametrize("killed", ["before it ends that", "when it has ended that", None])
def test_the_retry_ends_what_a_killed_try_has_told_nobody_of(
    quatrix_emulator: EmulatorClient, killed: str | None
) -> None:
    call = CALLS["share"][1]
    quatrix_emulator.configure(share_mails=False)
    killed_after("share/create")
    quatrix_emulator.configure(share_mails=True)

    def second() -> None:
        hook = TriedHook()
        hook.client.observe(AsSoonAs("share/revoke/.*", die))
        with ahead_of("GET /api/1.0/share/revoke/", die if killed == "before it ends that" else int):
            call(hook, resume_key="task", is_retry=True)

    if killed is not None:
        assert status_of_child(second) == KILLED
    call(TriedHook(), resume_key="task", is_retry=True)
    states = [share["status"] for share in done(quatrix_emulator)]
    assert (states.count("A"), len(quatrix_emulator.mails)) == (1, 1)
    assert len(states) == 2


def test_a_share_that_somebody_has_revoked_meanwhile_is_not_made_again(quatrix_emulator: EmulatorClient) -> None:
    killed_after("share/create")
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
    assert list((tmp_path / "notes").iterdir()) == []
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


def test_a_note_that_cannot_be_read_counts_as_none(quatrix_emulator: EmulatorClient) -> None:
    call, hook = CALLS["share"][1], TriedHook()
    call(hook, resume_key="task")
    (note,) = hook._kept
    note.write('{"identity": {}}')
    call(TriedHook(), resume_key="task", is_retry=True)
    assert len(done(quatrix_emulator)) == 2


def test_a_mail_that_comes_a_little_later_counts(
    quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after("share/create")
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
    killed_after("share/create")
    assert len(done(quatrix_emulator)) == 2
    with pytest.raises(QuatrixPermissionDenied):
        call(TriedHook(), resume_key="task", is_retry=True)
    assert len(done(quatrix_emulator)) == 2
