"""What a transfer changes at its target, decided without any of them."""

from __future__ import annotations

import pytest

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.versions import Version
from airflow_provider_quatrix.transfer.mirror import Changes, compare, wanted_of

OLD, NEW, LONGER = Version(1, 100.0), Version(1, 200.0), Version(2, 100.0)
FOLDER = Version(0, 0.0, is_folder=True)


def test_folders_come_ahead_of_what_they_hold() -> None:
    wanted = wanted_of([("empty",)], {("b", "deep", "a"): OLD, ("c",): OLD})
    assert list(wanted) == [("b",), ("b", "deep"), ("empty",), ("b", "deep", "a"), ("c",)]
    assert [version.is_folder for version in wanted.values()] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("if_exists", "expected"),
    [
        (IfExists.FAIL, Changes(send=(("new",),), refused=(("same",), ("older",), ("shorter",)))),
        (IfExists.SKIP, Changes(send=(("new",),), skip=(("same",), ("older",), ("shorter",)))),
        (IfExists.OVERWRITE, Changes(send=(("same",), ("older",), ("shorter",), ("new",)))),
        (IfExists.RENAME, Changes(send=(("same",), ("older",), ("shorter",), ("new",)))),
        (IfExists.UPDATE, Changes(send=(("older",), ("shorter",), ("new",)), skip=(("same",),))),
    ],
)
def test_what_is_done_about_files_whose_names_are_taken(if_exists: IfExists, expected: Changes) -> None:
    wanted = {("same",): OLD, ("older",): NEW, ("shorter",): LONGER, ("new",): OLD}
    there = {("same",): OLD, ("older",): OLD, ("shorter",): OLD}
    assert compare(wanted, there, if_exists) == expected


@pytest.mark.parametrize("if_exists", list(IfExists))
def test_folders_that_are_there_stay_and_missing_ones_are_made(if_exists: IfExists) -> None:
    changes = compare({("a",): FOLDER, ("b",): FOLDER}, {("a",): FOLDER}, if_exists)
    assert changes == Changes(keep=(("a",),), make=(("b",),))


@pytest.mark.parametrize("if_exists", [IfExists.UPDATE, IfExists.OVERWRITE])
def test_what_is_in_the_way_goes_first_only_where_extras_are_deleted(if_exists: IfExists) -> None:
    wanted, there = {("a",): FOLDER, ("a", "x"): OLD, ("b",): OLD}, {("a",): OLD, ("b",): FOLDER}
    assert compare(wanted, there, if_exists) == Changes(send=(("a", "x"),), refused=(("a",), ("b",)))
    assert compare(wanted, there, if_exists, delete_extra=True) == Changes(
        make=(("a",),), send=(("a", "x"), ("b",)), in_the_way=(("a",), ("b",))
    )


def test_what_the_source_lacks_goes_last_and_a_folder_stands_for_what_it_holds() -> None:
    there = {
        ("kept",): FOLDER,
        ("kept", "same"): OLD,
        ("kept", "gone"): OLD,
        ("gone",): FOLDER,
        ("gone", "deep"): FOLDER,
        ("gone", "deep", "a"): OLD,
        ("gone-too",): OLD,
    }
    wanted = {("kept",): FOLDER, ("kept", "same"): OLD}
    assert compare(wanted, there, IfExists.UPDATE).extra == ()
    assert compare(wanted, there, IfExists.UPDATE, delete_extra=True) == Changes(
        skip=(("kept", "same"),), keep=(("kept",),), extra=(("kept", "gone"), ("gone",), ("gone-too",))
    )


def test_a_folder_in_the_way_is_not_deleted_twice() -> None:
    there = {("a",): FOLDER, ("a", "x"): OLD}
    assert compare({("a",): OLD}, there, IfExists.UPDATE, delete_extra=True) == Changes(
        send=(("a",),), in_the_way=(("a",),)
    )
