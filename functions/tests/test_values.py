from functools import cached_property

import pytest

from broadcast.values import Value


class Point(Value):
    x: int
    y: int = 2

    @cached_property
    def total(self) -> int:
        return self.x + self.y


def test_fields_are_given_in_their_order_or_by_name():
    points = [Point(1), Point(1, 2), Point(1, y=2), Point(y=2, x=1)]

    assert [(point.x, point.y) for point in points] == [(1, 2)] * 4


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param((), {}, id="missing"),
        pytest.param((1, 2, 3), {}, id="too-many"),
        pytest.param((), {"x": 1, "z": 3}, id="unknown"),
        pytest.param((), {"y": 1}, id="only-the-optional-one"),
        pytest.param((1,), {"x": 1}, id="twice"),
    ],
)
def test_other_fields_are_refused(values, named):
    with pytest.raises(TypeError) as refused:
        Point(*values, **named)

    assert str(refused.value) == "Point takes x, y, each once"


def test_value_cannot_be_changed():
    point = Point(1)

    with pytest.raises(AttributeError, match="Point is immutable"):
        point.x = 3
    with pytest.raises(AttributeError, match="Point is immutable"):
        del point.x
    assert point == Point(1, 2)


def test_copy_has_other_values_and_forgets_what_was_worked_out():
    point = Point(1)
    before = point.total

    copy = point.replace(y=5)

    assert (before, copy, copy.total, point.total) == (3, Point(1, 5), 6, 3)


def test_values_are_equal_by_class_and_fields():
    class Other(Value):
        x: int
        y: int = 2

    known = Point(1)
    assert known.total == 3
    assert known == Point(1)
    assert known != Point(2)
    assert known != Other(1)
    assert known != {"x": 1, "y": 2}


def test_value_shows_its_fields():
    assert repr(Point(1)) == "Point(x=1, y=2)"
    assert Point(1).to_dict() == {"x": 1, "y": 2}
