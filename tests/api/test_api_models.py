from __future__ import annotations

import pytest

from airflow_provider_quatrix.api import Profile, Quota, SessionState, SessionStatus


def test_a_profile_is_read() -> None:
    body = {"id": "u1", "email": "a@b.c", "name": "A", "home_id": "h1", "is_contact": True, "more": 1}
    assert Profile.from_response(body) == Profile("u1", "a@b.c", "A", "h1", is_contact=True, raw=body)


def test_an_empty_profile_is_empty() -> None:
    body = {"id": None, "email": None}
    assert Profile.from_response(body) == Profile("", "", "", "", is_contact=False, raw=body)


@pytest.mark.parametrize(
    ("body", "free"),
    [
        ({"user_used": 10, "user_limit": 100, "acc_used": 50, "acc_limit": 1000}, 90),
        ({"user_used": 10, "user_limit": 100, "acc_used": 950, "acc_limit": 1000}, 50),
        ({"user_used": 10, "user_limit": -1, "acc_used": 50, "acc_limit": 1000}, 950),
        ({"user_used": 10, "user_limit": None, "acc_used": 50, "acc_limit": 1000}, 950),
        ({"user_used": 200, "user_limit": 100}, 0),
        ({"user_used": 0, "user_limit": 0, "acc_used": 0, "acc_limit": -1}, 0),
        ({"user_used": 10, "user_limit": -1, "acc_used": 50, "acc_limit": -1}, None),
        ({}, None),
    ],
)
def test_free_space_is_what_both_limits_leave(body: dict[str, int | None], free: int | None) -> None:
    quota = Quota.from_response(body)
    assert quota.free == free
    assert (quota.user_used, quota.account_used) == (body.get("user_used", 0), body.get("acc_used", 0))


def test_a_state_holds_nothing_secret() -> None:
    assert set(SessionState.__dataclass_fields__) == {"status", "obtained", "last_used", "login_attempts"}
    assert SessionState(SessionStatus.NONE) == SessionState(SessionStatus.NONE, None, None, 0)
