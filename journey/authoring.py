"""What the author of a playbook is held to, and a playbook that was published already is not.

A journey pins its playbook for months, and every later version of this code has to read it. A rule that is new or
stricter is for the next playbook: it goes into `Limits`, or asks `published` first.
"""

from typing import Annotated, Any, Final

from pydantic import Field, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema

PUBLISHED: Final = {"published": True}
"""The context in which a playbook is read that was published before."""


def published(info: ValidationInfo) -> bool:
    """Whether what is being read was published before, so that its author is held to nothing any more."""
    return bool(info.context and info.context.get("published"))


class Limits:
    """Bounds of a field, written as for `pydantic.Field`, that authors are held to.

    A value that was published keeps its meaning out of bounds, too: only its type is checked then.
    """

    def __init__(self, **bounds: Any) -> None:
        self._bounds = bounds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The bounded type, with a way past the bounds."""
        free = SchemaValidator(handler(source))

        def check(value: Any, bounded: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            return free.validate_python(value) if published(info) else bounded(value)

        inner = handler.generate_schema(Annotated[source, Field(**self._bounds)])
        return core_schema.with_info_wrap_validator_function(check, inner)
