"""``@task.quatrix_file_sensor``: wait for files, then pass them to a function."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_quatrix.hooks.signatures import FileSensorArguments, FileSensorDecoratorArguments


class QuatrixFileSensorDecoratedOperator(DecoratedOperator, QuatrixFileSensor):
    """Waits for files as :class:`QuatrixFileSensor` does, then calls a function with them.

    :param python_callable: the function. Its first argument gets the files; its return value is the task's result.
    :param op_args: further arguments (templated).
    :param op_kwargs: further arguments by name (templated).
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *QuatrixFileSensor.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {**DecoratedOperator.template_fields_renderers}
    custom_operator_name = "@task.quatrix_file_sensor"
    _ends_with_waiting = False

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Unpack[FileSensorArguments],
    ) -> None:
        further = tuple(op_args or ())
        _check_callable(python_callable)
        # The files are not known yet, but Airflow needs their place when it compares arguments and signature.
        super().__init__(
            python_callable=python_callable, op_args=(None, *further), op_kwargs=dict(op_kwargs or {}), **kwargs
        )
        self.op_args = further

    def execute(self, context: Context) -> Any:
        """Wait, then call the function. If the task is deferred, :meth:`resume_execution` calls it."""
        return self._call(QuatrixFileSensor.execute(self, context), context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take the files that the trigger found, and call the function."""
        return self._call(super().resume_execution(next_method, next_kwargs, context), context)

    def _call(self, files: list[dict[str, Any]], context: Context) -> Any:
        arguments = (files, *self.op_args)
        context_merge(context, self.op_kwargs)
        return self.python_callable(*arguments, **determine_kwargs(self.python_callable, arguments, context))


def _check_callable(function: Callable[..., Any]) -> None:
    """Check that a function takes the files.

    :raises TypeError: it has no argument for them.
    """
    parameters = inspect.signature(function).parameters.values()
    if all(parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD) for parameter in parameters):
        name = getattr(function, "__name__", "the function")
        raise TypeError(
            f"@task.quatrix_file_sensor passes the files to {name}, which has no argument for them: "
            f"write def {name}(files)"
        )


def quatrix_file_sensor_task(
    python_callable: Callable[..., Any] | None = None, **kwargs: Unpack[FileSensorDecoratorArguments]
) -> TaskDecorator:
    """Turn a function into a task that waits for files and is called with them.

    :param python_callable: the function; its first argument gets the files.
    :param kwargs: arguments of :class:`QuatrixFileSensor` and of the task.
    :return: the decorated function.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=QuatrixFileSensorDecoratedOperator, **kwargs
    )
