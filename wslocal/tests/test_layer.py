"""Code is unpacked whole and read-only, or not at all."""

import zipfile

import pytest

from wslocal.faults import Faults
from wslocal.lambda_host.layer import unpack_code


@pytest.fixture
def archives(tmp_path):
    """Return two zips of which the second replaces a file of the first."""
    made = []
    for number, files in enumerate([{"a.py": "1", "p/b.py": "1"}, {"p/b.py": "2"}]):
        made.append(tmp_path / f"{number}.zip")
        with zipfile.ZipFile(made[-1], "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    return made


def test_later_zips_replace_files_and_nothing_can_be_written(archives, tmp_path):
    into = unpack_code(archives, tmp_path / "code")

    assert (into / "a.py").read_text() == "1"
    assert (into / "p" / "b.py").read_text() == "2"
    assert {path.stat().st_mode & 0o222 for path in (into, *into.rglob("*"))} == {0}


def test_full_disk_leaves_nothing_and_the_next_time_is_the_first_again(archives, tmp_path):
    faults = Faults({})
    with faults.no_space(), pytest.raises(OSError, match="No space left on device"):
        unpack_code(archives, tmp_path / "code", after_file=faults.write_code)
    is_there = (tmp_path / "code").exists()

    into = unpack_code(archives, tmp_path / "code", after_file=faults.write_code)

    assert not is_there
    assert (into / "p" / "b.py").read_text() == "2"
