"""Arguments of operators and sensors: checked while the DAG is parsed, or once their templates are rendered."""

from __future__ import annotations

import ast
import inspect
from contextlib import suppress
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

DEFAULT_CONN_ID = "quatrix_default"
# What a template lacks in a run without a logical date.
_OF_LOGICAL_DATE = (
    *("data_interval_end", "data_interval_start", "ds", "ds_nodash", "execution_date", "logical_date"),
    *("next_ds", "prev_ds", "ts", "ts_nodash", "ts_nodash_with_tz"),
)
_TEMPLATE_SIGNS = ("{{", "{%", "{#")


def is_rendered_later(value: object) -> bool:
    """Return whether an argument is known only when the task runs: a template, an earlier result, or one in a list."""
    if isinstance(value, str):
        return any(sign in value for sign in _TEMPLATE_SIGNS)
    if isinstance(value, list | tuple | set):
        return any(map(is_rendered_later, value))
    # A reference to an earlier result, in any Airflow version.
    return hasattr(value, "iter_references")


def from_text(value: Any) -> Any:
    """Return what a template rendered: a number, a bool or ``None`` if its text is one, else the text."""
    if isinstance(value, str):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            read = ast.literal_eval(value.strip())
            if read is None or isinstance(read, bool | int | float):
                return read
    return value


def check_names(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Check that arguments exist.

    :param known: the names of those that exist.
    :raises TypeError: one does not; the message names the nearest one that does.
    """
    from difflib import get_close_matches

    names = sorted(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(names)}"
            raise TypeError(f"{what} has no argument {name!r}: {hint}")


def checked_names(further: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a method report an unknown argument together with the known one that may be meant.

    :param further: typed dict of the arguments that its signature does not name.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        named = {name for name in inspect.signature(method).parameters if name != "self"}
        known = named - {"filters", "selection"} | further.__annotations__.keys()

        @wraps(method)
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            check_names(f"{method.__name__}()", named, known)
            return method(*arguments, **named)

        return call

    return decorate


def parameters_of(model: Callable[P, R]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Let a method have the parameters of another one, for callers, editors and type checkers.

    :param model: the method that declares them. The decorated method gets all of them, defaults included.
    """
    signature = inspect.signature(model)

    def decorate(method: Callable[..., R]) -> Callable[P, R]:
        @wraps(method)
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            try:
                given = signature.bind(*arguments, **named)
            except TypeError as error:
                raise TypeError(f"{method.__name__}(): {error}") from None
            given.apply_defaults()
            return method(*given.args, **given.kwargs)

        vars(call)["__signature__"] = signature
        return call

    return decorate


class NamedArguments:
    """Part of an operator or sensor; reports an unknown argument together with the known one that may be meant."""

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        """Check the names first, as Airflow would complain of a missing argument instead.

        :raises TypeError: there is no such argument.
        """
        kind: type = cls
        # Names with an underscore in front are Airflow's own.
        check_names(cls.__name__, (name for name in named if not name.startswith("_")), _names(kind))
        return super().__new__(cls)

    def _do_render_template_fields(self, *arguments: Any, **named: Any) -> None:
        """Render as any operator does. If the run does not have a date, the error says what to use instead."""
        from jinja2 import UndefinedError

        try:
            super()._do_render_template_fields(*arguments, **named)  # type: ignore[misc]
        except UndefinedError as error:
            if not any(f"'{name}'" in str(error) for name in _OF_LOGICAL_DATE):
                raise
            from airflow.providers.common.compat.sdk import AirflowFailException

            raise AirflowFailException(
                f"{error}: this run has no logical date, as it was started by an asset, or without a date. "
                "Write {{ dag_run.run_after }}, which every run has"
            ) from None


@lru_cache
def _names(cls: type) -> frozenset[str]:
    """Return the names of all arguments of a class."""
    signatures = [inspect.signature(vars(each)["__init__"]) for each in cls.__mro__[:-1] if "__init__" in vars(each)]
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return frozenset(
        parameter.name
        for signature in signatures
        for parameter in signature.parameters.values()
        if parameter.kind in kinds and parameter.name != "self"
    )


class CheckedArguments(NamedArguments):
    """Part of an operator or sensor whose arguments may be templates."""

    _later: dict[str, Callable[[Any], Any]]

    def _checked(self, name: str, value: Any, check: Callable[[Any], Any]) -> Any:
        """Check an argument and return it; if it can be checked only once it is rendered, return it unchanged.

        :param name: its name, which is also that of the attribute.
        :param check: takes the value, and returns the one to use.
        :raises ValueError: it is wrong.
        """
        if not is_rendered_later(value):
            return check(value)
        self._later = {**getattr(self, "_later", {}), name: check}
        return value

    def _check_rendered(self) -> None:
        """Check the arguments that have been rendered.

        :raises ValueError: one is wrong.
        """
        for name, check in getattr(self, "_later", {}).items():
            value = getattr(self, name)
            try:
                setattr(self, name, check(value))
            except ValueError:
                read = from_text(value)
                if read is value:
                    raise
                setattr(self, name, check(read))
