from __future__ import annotations

import pytest

from airflow_provider_quatrix.api import QuatrixApiError, QuatrixLoginBudgetExhausted, QuatrixPermissionDenied
from airflow_provider_quatrix.hooks.waiting import Patience

DOWN = QuatrixApiError(503, None, "down")


@pytest.mark.parametrize(("max_failures", "looks"), [(1, 1), (2, 2), (10, 10)])
def test_patience_is_a_number_of_looks_in_a_row(max_failures: int, looks: int) -> None:
    patience = Patience(max_failures, 60.0)
    # However long each takes.
    assert [patience.outlasts(DOWN, 400.0 * number) for number in range(looks)] == [True] * (looks - 1) + [False]


def test_a_look_that_works_ends_an_outage() -> None:
    patience = Patience(2, 60.0)
    assert patience.outlasts(DOWN)
    patience.answered()
    assert patience.outlasts(DOWN)
    assert not patience.outlasts(DOWN)


def test_looks_that_come_sooner_than_agreed_do_not_end_patience_sooner() -> None:
    patience = Patience(10, 60.0, pace=60.0)
    given_up_at = next(at for at in range(0, 3600, 5) if not patience.outlasts(DOWN, float(at)))
    assert 9 * 0.9 * 60 <= given_up_at <= 9 * 60


def test_what_waiting_cannot_mend_ends_it_at_once() -> None:
    assert not Patience(10, 60.0).outlasts(QuatrixPermissionDenied(403, 50, "no"))
    assert not Patience(10, 60.0).outlasts(ValueError("odd"))


def test_a_login_that_is_not_allowed_yet_is_no_failed_look(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    patience = Patience(2, 60.0)
    assert patience.outlasts(DOWN, 0.0)
    for number in range(20):
        exhausted = QuatrixLoginBudgetExhausted(retry_after=900.0 - number, limit=12, window=900.0)
        assert patience.outlasts(exhausted, 60.0 * number)
    assert patience.failures == 1
    assert "Waiting until " in caplog.records[-1].message
    assert not patience.outlasts(DOWN, 1200.0)
