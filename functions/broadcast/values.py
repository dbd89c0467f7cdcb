"""Immutable values whose fields are annotations, as those of a dataclass.

`dataclasses` itself imports `inspect`, and writes and compiles the methods of each class at each
cold start: 13 ms of the 27 that these functions' modules took.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


__all__ = ["Value"]


@dataclass_transform(frozen_default=True)
class Value:
    """Takes its fields in their order or by name; those that a class gives a value may be left out.

    A default is shared by all instances: it must be immutable, or never changed.
    """

    _names: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls._names = tuple(cls.__annotations__)
        cls._defaults = {name: vars(cls)[name] for name in cls._names if name in vars(cls)}

    def __init__(self, *values: Any, **named: Any) -> None:
        self.__dict__.update(zip(self._names, values, strict=False))
        if named or len(values) != len(self._names):
            self._complete(len(values), named)

    def _complete(self, num_values: int, named: dict[str, Any]) -> None:
        fields = {**self._defaults, **self.__dict__, **named}
        is_double = not named.keys().isdisjoint(self._names[:num_values])
        if is_double or num_values > len(self._names) or fields.keys() != {*self._names}:
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._names)}, each once")
        self.__dict__.update(fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, without what a `cached_property` keeps."""
        return {name: self.__dict__[name] for name in self._names}

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values in some fields."""
        return type(self)(**{**self.to_dict(), **changes})

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value) or type(self) is not type(other):
            return False
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # as of a dict, which a field may be

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({fields})"
