"""What `tools/mutate.py` takes for a branch, and that an error is planted in just that one."""

import re

import pytest

import mutate

SOURCE = '''
TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing


def outer(number):
    """Return something."""
    if number > 1 and number < 9:
        return [one for one in "ab"]
    elif number == 9:
        return 1
    else:
        for one in (1, 2):
            number += one
        while number > 100:
            number = 0
    try:
        number += 1 if number else 2
    except ValueError:
        return {"é": number}["é"] or number
    finally:
        number += 1
    return lambda: number
'''
BRANCHES = [
    ("def", "if number > 1 and number < 9:"),
    ("and", "if number > 1 and number < 9:"),
    ("if", 'return [one for one in "ab"]'),
    ("comprehension", 'return [one for one in "ab"]'),
    ("if", "return 1"),
    ("else", "for one in (1, 2):"),
    ("loop", "number += one"),
    ("loop", "number = 0"),
    ("try", "number += 1 if number else 2"),
    ("if expression", "number += 1 if number else 2"),
    ("else expression", "number += 1 if number else 2"),
    ("except", 'return {"é": number}["é"] or number'),
    ("or", 'return {"é": number}["é"] or number'),
    ("finally", "number += 1"),
    ("lambda", "return lambda: number"),
]


def planted(number):
    """Return the source with an error in the branch of that number, and its function."""
    source = mutate.branches_of("module", SOURCE)[number].plant(SOURCE.encode()).decode()
    names = {}
    exec(source, names)  # noqa: S102 - it stands above
    return source, names["outer"]


def test_branches_are_found_in_the_order_of_their_lines():
    found = mutate.branches_of("module", SOURCE)

    assert [(branch.kind, branch.line) for branch in found] == BRANCHES
    assert {branch.function for branch in found} == {"outer"}


@pytest.mark.parametrize("number", range(len(BRANCHES)))
def test_an_error_is_planted_in_one_branch(number):
    source, _ = planted(number)

    changed = [line for line in source.splitlines() if line not in SOURCE.splitlines()]
    assert [line for line in changed if "planted" in line] != []
    assert len(re.findall("planted", source)) == 1
    assert abs(len(source.splitlines()) - len(SOURCE.splitlines())) <= 1


@pytest.mark.parametrize(
    ("number", "argument"),
    [(0, 1), (1, 5), (2, 5), (3, 5), (4, 9), (5, 1), (6, 1), (7, 200), (9, 1), (10, -3), (13, 1)],
)
def test_whoever_comes_there_meets_the_error(number, argument):
    _, outer = planted(number)

    with pytest.raises(AssertionError, match="planted"):
        outer(argument)


@pytest.mark.parametrize(("number", "argument"), [(2, 9), (4, 5), (7, 1), (12, 1)])
def test_whoever_does_not_meets_none(number, argument):
    _, outer = planted(number)

    outer(argument)
