"""A zip of a folder is the same bytes for the same files, and holds what its functions need."""

import io
import os
import socket
import zipfile

import pytest

from wslocal.sources.packages import pack
from wslocal.sources.project import ProjectError


def opened(archive: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(archive))


def test_names_and_content(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "é.py").write_text("x = 1\n")
    (tmp_path / "app.py").write_text("import lib\n")

    archive = opened(pack(tmp_path))

    assert archive.namelist() == ["app.py", "lib/é.py"]
    assert archive.read("lib/é.py") == b"x = 1\n"


def test_same_files_are_the_same_bytes(tmp_path):
    for folder, names in (("one", "ab"), ("two", "ba")):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(name)
    os.utime(tmp_path / "one" / "a", (1, 1))  # before a zip's first year

    assert pack(tmp_path / "one") == pack(tmp_path / "two")


def test_programs_stay_programs(tmp_path):
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / "run").chmod(0o700)
    (tmp_path / "data").write_text("")

    archive = opened(pack(tmp_path))

    modes = {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()}
    assert modes == {"run": "0o100755", "data": "0o100644"}


def test_repositories_and_bytecode_stay_away(tmp_path):
    for name in (".git", "__pycache__", ".aws-sam", "node_modules", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")

    assert opened(pack(tmp_path)).namelist() == [".hidden/file", "node_modules/file"]


def test_links_are_followed(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "util.py").write_text("x = 1\n")
    code = tmp_path / "code"
    code.mkdir()
    (code / "shared").symlink_to("../shared")
    (code / "one.py").symlink_to("../shared/util.py")

    assert opened(pack(code)).namelist() == ["one.py", "shared/util.py"]


def test_link_to_a_folder_above_ends(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("")
    (tmp_path / "code" / "again").symlink_to(tmp_path / "code")

    assert opened(pack(tmp_path / "code")).namelist() == ["app.py"]


def test_sockets_and_broken_links_are_passed_over(tmp_path):
    (tmp_path / "lost").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))

        assert opened(pack(tmp_path)).namelist() == []


def test_zip_is_taken_as_it_is(tmp_path):
    path = tmp_path / "code.jar"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app.py", "")

    assert pack(path) == path.read_bytes()


def test_one_file(tmp_path):
    (tmp_path / "app.py").write_text("")

    assert opened(pack(tmp_path / "app.py")).namelist() == ["app.py"]


def test_below_and_beside(tmp_path):
    """What was installed comes beside the code, which wins."""
    for folder, name in (("code", "both.py"), ("installed", "both.py"), ("installed", "more.py")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(folder)

    archive = opened(pack(tmp_path / "code", below="python/", beside=[tmp_path / "installed"]))

    assert archive.namelist() == ["python/both.py", "python/more.py"]
    assert archive.read("python/both.py") == b"code"


def test_too_large(tmp_path):
    with (tmp_path / "model.bin").open("wb") as file:
        file.truncate(250 * 1024 * 1024 + 1)

    with pytest.raises(ProjectError, match="more than 250 MB"):
        pack(tmp_path)


def test_not_there(tmp_path):
    with pytest.raises(ProjectError, match="is not there"):
        pack(tmp_path / "gone")
