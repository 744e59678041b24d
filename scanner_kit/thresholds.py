"""Thresholds: the Params that gates and rules are declared with, and the checks that Param leaves out."""

import copy
import math
from typing import Any

import param

from scanner_kit.errors import InvalidInput, UnknownName


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class PerSession(param.Parameter[Any]):
    """A pair of limits: in PRE, and after. One number sets both."""

    __slots__ = ["bounds"]

    def __init__(self, default: Any = None, *, bounds: tuple[float, float] = (0, math.inf), **kwargs: Any) -> None:
        self.bounds = bounds
        super().__init__(default, **kwargs)
        self._validate(self.default)

    def __set__(self, obj: Any, val: Any) -> None:
        super().__set__(obj, self.admitted(val))

    @staticmethod
    def admitted(val: Any) -> Any:
        """The pair that a value stands for."""
        return (val, val) if _is_number(val) else tuple(val) if isinstance(val, list) else val

    def _validate(self, val: Any) -> None:
        if val is None and self.allow_None:
            return
        pair = isinstance(val, tuple) and len(val) == 2 and all(_is_number(v) for v in val)
        if not pair or not all(self.bounds[0] <= v <= self.bounds[1] for v in val):
            raise ValueError(
                f"PerSession parameter {self.name!r} must be a number or a pair of numbers (in "
                f"PRE, after) from {self.bounds[0]} up, not {val!r}."
            )


def limit(
    doc: str, unit: str, bounds: tuple[float | None, float | None] = (0, None), default: float | None = None
) -> Any:
    """A gate that is unset by default."""
    return param.Number(default, bounds=bounds, allow_None=True, doc=doc, metadata={"unit": unit})


def words(doc: str) -> Any:
    """A gate on words that is unset by default."""
    return param.List(None, item_type=str, allow_None=True, doc=doc)


def with_default(
    inherited: "param.Parameter[Any]", cls: type[param.Parameterized], name: str, value: Any
) -> "param.Parameter[Any]":
    """The inherited Parameter, checked and with the default that a class body gives it as a plain value."""
    check(cls, name, value)
    own = copy.copy(inherited)
    own.owner = cls
    own.default = own.admitted(value) if isinstance(own, PerSession) else value
    try:
        own._validate(own.default)
    except (ValueError, TypeError) as fault:
        raise InvalidInput(f"{cls.__name__}: {fault}") from None
    return own


def check(cls: type[param.Parameterized], name: str, value: Any) -> None:
    """What Param lets pass: an unknown name, a truth where a number belongs, and what is not finite."""
    if not hasattr(cls, name):
        raise UnknownName.of(f"{cls.__name__} has no parameter", name, set(cls.param))
    if not isinstance(parameter_of(cls, name), param.Number | PerSession):
        return
    for number in value if isinstance(value, tuple | list) else (value,):
        if isinstance(number, bool):
            raise InvalidInput(f"{cls.__name__}.{name} is a number; found {value!r}. Write the number.")
        if isinstance(number, float) and not math.isfinite(number):
            raise InvalidInput(
                f"{cls.__name__}.{name} is a finite number; found {value!r}. Leave a limit unset with None."
            )


def parameter_of(cls: type[param.Parameterized], name: str) -> "param.Parameter[Any] | None":
    """The nearest Parameter of that name."""
    own = (vars(base).get(name) for base in cls.__mro__)
    return next((value for value in own if isinstance(value, param.Parameter)), None)
