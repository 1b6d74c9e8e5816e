from __future__ import annotations

from testing.lab.checks import (
    all_green,
    at_most,
    calls_per_interval,
    exactly,
    sent_again,
    table,
    variable_calls,
)

LOG = """\
2026-11-24T21:03:59Z [info     ] request finished [http.access] duration_us=39018 method=GET \
path=/execution/variables/quatrix_session__emulator_8580__demo_example.com__4718c380 query= status_code=404
2026-11-24T21:04:00Z [info     ] request finished [http.access] duration_us=17331 method=PUT \
path=/execution/variables/quatrix_session__emulator_8580__demo_example.com__4718c380 query= status_code=201
2026-11-24T21:04:01Z [info     ] request finished [http.access] duration_us=5645 method=GET \
path=/execution/variables/quatrix_upload__lab__1 query= status_code=200
2026-11-24T21:04:01Z [info     ] request finished [http.access] duration_us=5645 method=GET \
path=/execution/connections/quatrix_default query= status_code=200
2026-11-24T21:04:02Z [info     ] request finished [http.access] duration_us=5645 method=GET \
path=/execution/variables/quatrix_session__emulator_8580__demo_example.com__4718c380 query= status_code=200
2026-11-24T21:04:02Z [info     ] request finished [http.access] duration_us=1 method=GET path=/api/v2/variables query=
"""


def test_a_number_has_to_be_what_it_was_promised_to_be() -> None:
    assert [exactly("s", "logins", 1, count).held for count in (0, 1, 2)] == [False, True, False]
    assert [at_most("s", "logins", 1, count).held for count in (0, 1, 2)] == [True, True, False]


def test_tasks_are_judged_by_their_states_and_no_task_is_no_success() -> None:
    assert all_green("s", ["success"] * 3).held
    check = all_green("s", ["success", "failed", None, "failed"])
    assert not check.held
    assert check.measured == "1 None, 2 failed, 1 success"
    assert not all_green("s", []).held


def test_each_triggerer_may_ask_once_per_interval() -> None:
    def held(calls: int, seconds: float, triggerers: int) -> bool:
        return calls_per_interval("s", calls, seconds, interval=6, triggerers=triggerers).held

    assert held(6, 17.4, triggerers=2)
    assert not held(7, 17.4, triggerers=2)
    assert not held(4, 17.9, triggerers=1)
    # A fourth interval has begun.
    assert held(4, 18.1, triggerers=1)
    assert not held(5, 18.1, triggerers=1)


def test_a_tenth_of_a_file_is_too_much_to_send_again() -> None:
    assert sent_again("s", 1000, 1000).held
    assert sent_again("s", 1000, 1099).held
    assert not sent_again("s", 1000, 1100).held
    # Fewer bytes than the file has: whatever came in was not this file.
    assert not sent_again("s", 1000, 999).held


def test_calls_for_variables_are_counted_in_the_log_of_the_api_server() -> None:
    assert variable_calls(LOG.splitlines()) == {
        ("GET", "quatrix_session"): 2,
        ("PUT", "quatrix_session"): 1,
        ("GET", "quatrix_upload"): 1,
    }


def test_the_table_says_what_did_not_hold() -> None:
    text = table([exactly("400 tasks", "logins", 1, 1), at_most("blocked", "logins", 1, 2)])
    assert text.splitlines() == [
        "| Scenario  | What   | Wanted | Measured | Held   |",
        "| --------- | ------ | ------ | -------- | ------ |",
        "| 400 tasks | logins | 1      | 1        | yes    |",
        "| blocked   | logins | ≤ 1    | 2        | **no** |",
    ]
