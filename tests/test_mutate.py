"""What `tools/mutate.py` takes for a branch, and that an error is planted in just that one."""

import importlib.util
import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

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


LOADED = """
count = 0
TABLE = [
    lambda value: value + 1,
    lambda value: value + 2,
]


def doubled(function):
    def twice(value):
        return function(function(value))

    return twice


@doubled
def next_one(value):
    global count
    count += 1
    return value + 1 if value else 7
"""


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """A module that is loaded from a file, with all of its branches by their lines."""
    monkeypatch.setattr(SourceFileLoader, "get_code", SourceFileLoader.get_code)
    path = tmp_path / "loaded.py"
    path.write_text(LOADED)
    spec = importlib.util.spec_from_file_location("loaded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, path, {b.line: b for b in mutate.branches_of("loaded", LOADED)}


def test_an_error_reaches_functions_that_are_made_already(loaded):
    """Also one that a decorator holds, and one that comes after the line that is put in."""
    module, path, branches = loaded

    taken = mutate.plant_in_process(branches["count += 1"], path)

    assert taken
    assert [function(1) for function in module.TABLE] == [2, 3]
    with pytest.raises(AssertionError, match="planted"):
        module.next_one(1)


def test_an_error_reaches_a_module_that_is_loaded_anew(loaded):
    module, path, branches = loaded

    mutate.plant_in_process(branches["count += 1"], path)
    module.__spec__.loader.exec_module(module)

    with pytest.raises(AssertionError, match="planted"):
        module.next_one(1)


def test_an_error_reaches_one_of_two_lambdas(loaded):
    module, path, branches = loaded

    taken = mutate.plant_in_process(branches["lambda value: value + 1,"], path)

    assert taken
    assert module.TABLE[1](1) == 3
    assert module.next_one(1) == 3
    with pytest.raises(AssertionError, match="planted"):
        module.TABLE[0](1)


def test_a_function_that_would_lose_a_variable_takes_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(SourceFileLoader, "get_code", SourceFileLoader.get_code)
    source = "def made(one):\n    return lambda: one\n\n\nkept = made(1)\n"
    path = tmp_path / "closures.py"
    path.write_text(source)
    names = {}
    exec(compile(source, str(path), "exec"), names)  # noqa: S102 - it stands above
    branch = mutate.branches_of("closures", source)[-1]

    assert branch.kind == "lambda"
    assert not mutate.plant_in_process(branch, path)
    assert names["kept"]() == 1


BEFORE = """| module | branches | noticed | by | run |
| --- | --- | --- | --- | --- |
| `_json` | 9 | 8 | `test_json.py` | then |
| `_gone` | 9 | 9 | `test_gone.py` | then |
| `_emf` | 9 | 9 | `test_emf.py` | then |

| function | branch | why |
| --- | --- | --- |
| `_json.encode` | `return 1` | a reason |
| `_emf.Group.metric` | `return 2` | a reason |
"""


def test_a_result_takes_its_rows_place_and_leaves_those_of_other_modules():
    branches = mutate.branches_of("_emf", SOURCE)

    page = mutate.table(mutate.Result("_emf", 15, branches[:1], 2.0), BEFORE)

    rows = [row for row in page.splitlines() if row.startswith("| `")]
    assert [row.partition(" `test_")[0] for row in rows] == [
        "| `_json` | 9 | 8 |",
        "| `_emf` | 15 | 14 |",
        "| `_json.encode` | `return 1` | a reason |",
        "| `_emf.outer` | `if number > 1 and number < 9:` | **not explained** |",
    ]


def test_a_module_whose_every_error_is_noticed_has_one_row():
    page = mutate.table(mutate.Result("_emf", 15, [], 2.0), "")

    assert page.count("`_emf`") == 1
    assert "| none | | |" in page


def test_a_run_may_take_some_times_what_its_tests_take():
    reached = mutate.Reached("test_a.py", {}, {"one": 1.0, "two": 2.0, "all": 3.0})

    patience = [reached.patience(names) for names in (["one"], ["one", "two"], [])]

    assert patience == [20.0, 40.0, 10.0]


SMALL = """
def size_of(value):
    if value is None:
        return 0
    try:
        return len(value)
    except TypeError:
        return -1


def _limit():
    return 7


LIMIT = _limit()


def unused():
    return 1
"""
TEST_OF_SMALL = """
from small_package import small


def test_size():
    assert [small.size_of(value) for value in (None, "ab")] == [0, 2]


def test_swallowing_what_is_raised():
    try:
        small.unused()
    except AssertionError:
        pass
"""
EXAMINE = """
from pathlib import Path
import mutate

mutate.ROOT = mutate.LAYER = Path.cwd()
mutate.PACKAGE = Path.cwd() / "small_package"
mutate.MODULES = {"small": ("test_small.py",)}
result = mutate.examine("small", 2)
print(result.noticed, [branch.line for branch in result.missed])
"""


def test_what_no_test_notices_is_missed(tmp_path):
    """What runs while the module is loaded is noticed; a test that does not look at it notices nothing."""
    for name, text in (
        ("small_package/__init__.py", ""),
        ("small_package/small.py", SMALL),
        ("tests/test_small.py", TEST_OF_SMALL),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    done = subprocess.run(
        [sys.executable, "-c", EXAMINE],
        cwd=tmp_path, env={"PYTHONPATH": str(Path(mutate.__file__).parent)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == "4 ['return -1', 'return 1']"
