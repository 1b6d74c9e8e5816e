"""Parameters that editors see, and names that are wrong."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator
from dag_runs import new_dag

from airflow_provider_quatrix.decorators.files import QuatrixFileSensorDecoratedOperator, quatrix_file_sensor_task
from airflow_provider_quatrix.get_provider_info import get_provider_info
from airflow_provider_quatrix.hooks import signatures
from airflow_provider_quatrix.hooks.arguments import check_names, parameters_of
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.operators.files import QuatrixUploadOperator
from airflow_provider_quatrix.operators.session import QuatrixLoginOperator
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor


def public_classes() -> list[Any]:
    info = get_provider_info()
    modules = [import_module(name) for kind in ("operators", "sensors") for name in info[kind][0]["python-modules"]]
    found = [
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    return [*found, QuatrixFileSensorDecoratedOperator]


def named(function: Any) -> set[str]:
    """The parameters that a signature names, and those of the typed dict that it unpacks."""
    found = set(inspect.signature(function).parameters) - {"self", "kwargs"}
    unpacked = re.fullmatch(r"Unpack\[(\w+)\]", function.__annotations__.get("kwargs", ""))
    if unpacked is not None:
        found |= getattr(signatures, unpacked[1]).__annotations__.keys()
    return found


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_an_editor_sees_every_parameter(cls: Any) -> None:
    taken = set().union(*(named(vars(each)["__init__"]) for each in cls.__mro__[:-1] if "__init__" in vars(each)))
    # These are between Airflow and itself.
    hidden = {"kwargs_to_upstream", "self", "args", "context"}
    assert taken - named(vars(cls)["__init__"]) - hidden == set()


@pytest.mark.parametrize("base", [BaseOperator, BaseSensorOperator])
def test_the_arguments_of_airflow_itself_are_complete(base: Any) -> None:
    of_airflow = signatures.AirflowSensorArguments if base is BaseSensorOperator else signatures.TaskArguments
    taken = set(inspect.signature(base.__init__).parameters) - {"self", "kwargs", "poke_interval"}
    assert taken <= of_airflow.__annotations__.keys()


@pytest.mark.parametrize(
    ("cls", "arguments", "hint"),
    [
        (QuatrixUploadOperator, {"sorce": "/a", "target": "/b"}, "no argument 'sorce': did you mean 'source'"),
        (
            QuatrixUploadOperator,
            {"source": "/a", "target": "/b", "create_parent": True},
            "did you mean 'create_parents",
        ),
        (QuatrixUploadOperator, {"source": "/a", "target": "/b", "retry": 3}, "did you mean 'retries'"),
        (QuatrixLoginOperator, {"wait_for_capcha": True}, "did you mean 'wait_for_captcha'"),
        (QuatrixCaptchaSensor, {"poke_intervall": 5}, "QuatrixCaptchaSensor has no argument .*'poke_interval'"),
        (QuatrixFileSensor, {"pat": "/a"}, "did you mean 'path'"),
        (QuatrixLoginOperator, {"xyzzy": 1}, "no argument 'xyzzy': it takes allow_nested_operators, .*mfa_code"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(cls: Any, arguments: dict[str, Any], hint: str) -> None:
    with new_dag(), pytest.raises(TypeError, match=hint):
        cls(task_id="task", **arguments)


def test_so_does_the_decorator() -> None:
    with new_dag(), pytest.raises(TypeError, match="no argument 'min_agee': did you mean 'min_age'"):
        quatrix_file_sensor_task(lambda files: files, path="/a", min_agee=5)()


@pytest.mark.parametrize(
    ("method", "arguments", "hint"),
    [
        ("upload", {"sources": "/a", "target": "/b"}, r"upload\(\) has no argument 'sources': did you mean 'source'"),
        ("download", {"source": "/a", "target": "/b", "newer": "x"}, "did you mean 'newer_than'"),
        (
            "move_many",
            {"source": "/a", "target": "/b", "resume_key": "me"},
            r"move_many\(\) has no argument 'resume_key'",
        ),
        (
            "copy_many",
            {"source": "/a", "target": "/b", "if_exist": "skip"},
            r"copy_many\(\) has no argument 'if_exist': did you mean 'if_exists'",
        ),
        ("copy_many", {"source": "/a"}, r"copy_many\(\): missing a required argument: 'target'"),
        ("list_files", {"exclud": "*.tmp"}, "did you mean 'exclude'"),
        ("delete", {"path": "/a", "missing_okay": True}, "did you mean 'missing_ok'"),
    ],
)
def test_so_does_the_hook_before_anything_is_sent(method: str, arguments: dict[str, Any], hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        getattr(QuatrixHook("no_such_connection"), method)(**arguments)


def test_a_method_can_have_the_parameters_of_another_with_their_defaults() -> None:
    def model(self: object, one: int, *, two: str = "2", **others: int) -> tuple[object, ...]:
        raise AssertionError(self, one, two, others)

    @parameters_of(model)
    def call(*given: object, **named: object) -> tuple[object, ...]:
        """Its own text."""
        return (*given, named)

    assert call("self", 1) == ("self", 1, {"two": "2"})
    assert call("self", one=1, two="3", four=4) == ("self", 1, {"two": "3", "four": 4})
    assert (inspect.signature(call), call.__doc__) == (inspect.signature(model), "Its own text.")
    with pytest.raises(TypeError, match=r"^call\(\): too many positional arguments$"):
        call("self", 1, "3")  # type: ignore[call-arg]


def test_names_that_there_are_pass() -> None:
    check_names("call()", ["one"], ["one", "two"])
