"""The remembering type checker refuses after what is right all that it refuses before."""

from typing import Literal

import numpy as np
import pytest
from jaxtyping import TypeCheckError, jaxtyped

import remembered
from inertial._types import Targets


@jaxtyped(typechecker=remembered.check)
def first(
    x: Targets,
    y: Targets,
    result: object,
    *,
    flags: tuple[int, ...] = (),
    names: list[str] | None = None,
    mode: Literal["a", 1] = "a",
) -> Targets:
    assert y is not None
    assert (flags, names, mode) is not None
    return x if result is None else result


X = np.ones(3)
RIGHT = ((X, X, None), {"flags": (1,), "names": ["a"], "mode": 1})


@pytest.mark.parametrize("already", [0, 3])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((X, np.ones(4), None), {}),
        ((X[:, None], X, None), {}),
        ((X.astype(int), X, None), {}),
        (([1.0], X, None), {}),
        ((X, X, np.ones(4)), {}),
        ((X, X, "x"), {}),
        ((X, X, None), {"flags": ("x",)}),
        ((X, X, None), {"flags": [1, 2]}),
        ((X, X, None), {"flags": "x"}),
        ((X, X, None), {"names": [1]}),
        ((X, X, None), {"mode": 2}),
        ((X, X, None), {"mode": "b"}),
        ((X, X, None), {"mode": 1.0}),
    ],
)
def test_what_is_wrong_is_refused_before_and_after_what_is_right(already, arguments, named):
    for _ in range(already):
        assert first(*RIGHT[0], **RIGHT[1]) is X
        assert first(X, X, X) is X
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            first(*arguments, **named)


def test_the_same_question_is_asked_once(monkeypatch):
    asked = []

    def counted(**_):
        return lambda _function: asked.append

    monkeypatch.setattr(remembered, "beartype", counted)
    check = remembered.check(lambda _: None)
    for value in (X, X + 1, X, np.ones(4), np.ones(4), 1, 2, 1, True, "a", "a", X):
        check(value)
    assert len(asked) == 6
    check((X, X))
    check((X, X + 1))
    assert len(asked) == 7
    for value in ([1], (X, 1)):
        check(value)
        check(value)
    assert len(asked) == 11
