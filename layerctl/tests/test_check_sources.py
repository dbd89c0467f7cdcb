"""A package that is not whole: a module that is gone, or that does not compile."""

import pytest

from layerctl import doctor
from layerctl.archive import Archive
from layerctl.check_sources import check_sources, modules_below
from layerctl.check_zip import check_zip
from layerctl.importing import find_interpreter

from .conftest import PYTHON, zipped

WHOLE = {
    "python/p/__init__.py": "def f():\n    from .a import x\n",
    "python/p/__init__.pyi": "from .a import x as x\n",
    "python/p/__main__.py": "",
    "python/p/a.py": "import p.sub.b\nfrom .sub import c\nfrom . import anything\nimport p\n",
    "python/p/sub/b.py": "from ..a import x\nfrom p.sub.c import y\nfrom p2.x import z\n",
    "python/p/sub/c.cpython-312-x86_64-linux-gnu.so": "",
    "python/p/._a.py": "\0",
    "python/p/py.typed": "",
}


def archive(**changes):
    files = WHOLE | {f"python/p/{name}": text for name, text in changes.items()}
    kept = {name: text for name, text in files.items() if text is not None}
    return Archive(zipped(kept), "layer.zip")


def found(made):
    return [(row.code, row.message) for row in check_sources(made, "python/", "p", "layer.zip")]


def test_whole_package():
    assert found(archive()) == []
    assert modules_below(archive(), "python/", "p") == ["p", "p.a", "p.sub.b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"a.py": None, "b.py": "import p.x\n"},
            "layer.zip has no python/p/a.py, which python/p/__init__.py imports (and 1 more)",
            id="relative",
        ),
        pytest.param(
            {"b.py": "if 1:\n    import p.x.y\n"},
            "layer.zip has no python/p/x/y.py, which python/p/b.py imports",
            id="absolute",
        ),
        pytest.param(
            {"__pycache__/gone.cpython-312.pyc": ""},
            "layer.zip has no python/p/gone.py, which has bytecode that nothing runs without it",
            id="bytecode-alone",
        ),
    ],
)
def test_module_that_is_gone(changes, message):
    assert found(archive(**changes)) == [("module-missing", message)]


def test_module_that_may_be_gone():
    may = "try:\n    from ._fast import f\nexcept ImportError:\n    f = None\n"

    assert found(archive(**{"b.py": may})) == []
    assert found(archive(**{"b.py": may.replace("f = None", "from ._slow import f")})) == [
        ("module-missing", "layer.zip has no python/p/_slow.py, which python/p/b.py imports")
    ]


@pytest.mark.parametrize("source", ["def f(:\n", "return 1\n", "\0"])
def test_source_that_does_not_compile(source):
    [(code, message)] = found(archive(**{"a.py": source}))

    assert code == "does-not-compile"
    assert message.startswith("python/p/a.py of layer.zip does not compile: ")
    # It may be right for a Python that is newer than ours.
    newer = {"__pycache__/__init__.cpython-399.pyc": ""}
    assert found(archive(**{"a.py": source}, **newer)) == []


def test_package_without_its_init():
    """A file with types alone is none."""
    codes = {row.code: row.message for row in check_zip(archive(**{"__init__.py": None}), "p")}

    assert codes["package-missing"] == "p has no __init__.py in it"


def test_what_systems_leave_beside_a_source_is_said_once():
    codes = [row.code for row in check_zip(archive(), "p")]

    assert codes == ["left-behind", "bytecode-missing"]


def test_each_module_is_imported_if_that_is_asked_for():
    assert find_interpreter(PYTHON)
    made = archive(**{"sub/b.py": "import nothing_of_this_name\n", "a.py": "x = 1\n"})

    report = doctor.examine_zip(made, "p", with_import=True)

    assert [row.message for row in report.findings if row.code == "import-failed"] == [
        "p.sub.b cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'"
    ]
