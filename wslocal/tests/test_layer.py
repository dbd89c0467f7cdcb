"""Code is unpacked whole and read-only, or not at all."""

import stat
import subprocess
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


def add(archive, name, text, mode):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    archive.writestr(entry, text)


def test_programs_and_links_stay_what_they_are(tmp_path):
    """A layer may have programs in `bin`, and npm links to those of packages."""
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as archive:
        add(archive, "lib/tool.sh", "#!/bin/sh\necho works\n", stat.S_IFREG | 0o755)
        add(archive, "bin/tool", "../lib/tool.sh", stat.S_IFLNK | 0o777)
        add(archive, "lib/text", "", stat.S_IFREG | 0o644)

    into = unpack_code([tmp_path / "layer.zip"], tmp_path / "opt")

    run = subprocess.run([into / "bin" / "tool"], capture_output=True, text=True, check=True)
    assert run.stdout == "works\n"
    assert stat.S_IMODE((into / "lib" / "tool.sh").stat().st_mode) == 0o555
    assert stat.S_IMODE((into / "lib" / "text").stat().st_mode) == 0o444


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "a/../../outside", "."])
def test_link_that_leads_elsewhere_becomes_a_file(tmp_path, target):
    """Nothing is written through it, whatever comes after it."""
    (tmp_path / "outside").write_text("untouched")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        add(archive, "link", target, stat.S_IFLNK | 0o777)

    into = unpack_code([tmp_path / "code.zip"], tmp_path / "code")

    assert not (into / "link").is_symlink()
    assert (into / "link").read_text() == target
    assert (tmp_path / "outside").read_text() == "untouched"


def test_file_replaces_a_link_of_an_earlier_zip(tmp_path):
    for number, (mode, text) in enumerate([(stat.S_IFLNK, "b.py"), (stat.S_IFREG | 0o644, "new")]):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            add(archive, "a.py", text, mode)
            add(archive, "b.py", "old", stat.S_IFREG)

    into = unpack_code([tmp_path / "0.zip", tmp_path / "1.zip"], tmp_path / "code")

    assert (into / "a.py").read_text() == "new"
    assert (into / "b.py").read_text() == "old"


def test_name_that_leads_elsewhere_stays_inside(tmp_path):
    (tmp_path / "outside").write_text("untouched")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        add(archive, "../outside", "written", stat.S_IFREG | 0o644)

    into = unpack_code([tmp_path / "code.zip"], tmp_path / "code")

    assert (into / "outside").read_text() == "written"
    assert (tmp_path / "outside").read_text() == "untouched"


def test_link_that_a_later_one_makes_lead_elsewhere(tmp_path):
    """When it was made it led nowhere; nothing is written through it all the same."""
    (tmp_path / "out").mkdir()
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        add(archive, "away", "a/b/c/../../out", stat.S_IFLNK | 0o777)
        add(archive, "s/x", "", stat.S_IFREG)
        add(archive, "a/b/c", "../../s", stat.S_IFLNK | 0o777)
        add(archive, "away/evil", "written", stat.S_IFREG)

    with pytest.raises(zipfile.BadZipFile, match="away/evil leads out of its folder"):
        unpack_code([tmp_path / "code.zip"], tmp_path / "code")

    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "code").exists()
