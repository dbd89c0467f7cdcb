"""What Lambda refuses, or other systems leave: each planted in a zip, and found by name with a remedy."""

import io
import stat
import struct
import zipfile

import pytest

from layerctl.archive import Archive
from layerctl.check_entries import check_entries
from layerctl.check_zip import check_zip

FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
UNIX, WINDOWS = 3, 0


def made(*entries):
    """Return a zip of (name, content, mode) or (name, content, mode, system)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content, mode, *system in entries:
            entry = zipfile.ZipInfo(name)
            entry.create_system = system[0] if system else UNIX
            entry.external_attr = mode << 16 | 0x20  # 0 would be given the mode 600
            archive.writestr(entry, content)
    return Archive(buffer.getvalue(), "layer.zip")


def found(archive):
    return [f"{row.level} {row.code}" for row in check_entries(archive, "layer.zip")]


def only(archive):
    [finding] = check_entries(archive, "layer.zip")
    assert finding.remedy
    return f"{finding.level} {finding.code}", finding.message


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([("python/", "", FOLDER), ("python/a.py", "", FILE)], id="644-and-755"),
        pytest.param([("python/", "", 0o40555), ("python/a.py", "", 0o100444)], id="read-only"),
        pytest.param([("python/a.py", "", 0, UNIX)], id="no-mode"),
        pytest.param([("python/", "", 0, WINDOWS), ("python/a.py", "", 0, WINDOWS)], id="windows"),
        pytest.param([("extensions/x", "#!/bin/sh\n", 0o100755)], id="program"),
        pytest.param([("python/run.sh", "#!/bin/sh\nexit\n", FILE)], id="script"),
        pytest.param([("python/run.sh", "", FILE), ("python/a.bat", "a\r\n", FILE)], id="batch"),
        pytest.param(
            [("python/a.py", "", FILE), ("python/b.py", "a.py", LINK)], id="link-to-a-file"
        ),
        pytest.param(
            [("lib/x/a.so", "", FILE), ("lib/y", "x", LINK), ("lib/z", "../lib/y", LINK)],
            id="links-to-a-folder-and-a-link",
        ),
        pytest.param([("python/größe.py", "", FILE)], id="name-in-utf-8"),
        pytest.param([("python/_x.py", "", FILE), ("python/.hidden/a", "", FILE)], id="own-names"),
    ],
)
def test_what_lambda_takes_has_no_finding(entries):
    assert found(made(*entries)) == []


@pytest.mark.parametrize(
    ("mode", "is_found"),
    [
        pytest.param(0o40755, False, id="755"),
        pytest.param(0o40505, False, id="others-only"),
        pytest.param(0o40754, True, id="not-entered"),
        pytest.param(0o40751, True, id="not-listed"),
        pytest.param(0o40700, True, id="owner-only"),
        pytest.param(0o40644, True, id="a-files-mode"),
    ],
)
def test_folder_that_lambda_may_not_enter(mode, is_found):
    """Python lists a folder before it looks into it, so both rights are needed."""
    archive = made(("python/", "", mode), ("python/a.py", "", FILE))

    assert ("error closed-folders" in found(archive)) == is_found


def test_folders_are_counted_and_one_is_named():
    closed = made(("python/b/", "", 0o40644), ("python/a/", "", 0o40600), ("x/", "", FOLDER))

    assert only(closed)[1] == (
        "layer.zip has 2 entries that Lambda may not enter, so nothing below is found, like python/a/"
    )


def test_file_that_lambda_may_not_read():
    """`ZipFile.writestr` with a name gives mode 600."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("python/a.py", "")

    assert only(Archive(buffer.getvalue(), "layer.zip")) == (
        "error unreadable-files",
        "layer.zip has 1 entry that Lambda may not read, like python/a.py",
    )


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(("extensions/agent", b"\x7fELF", 0o100644), id="no-right"),
        pytest.param(("extensions/agent", b"\x7fELF", 0, WINDOWS), id="zipped-on-windows"),
        pytest.param(("bootstrap", b"\x7fELF", 0o100744), id="owner-only"),
    ],
)
def test_program_that_lambda_may_not_run(entry):
    assert only(made(entry))[0] == "error not-executable"


@pytest.mark.parametrize("name", ["bootstrap", "extensions/agent", "python/tools/run.sh"])
def test_script_with_line_ends_of_windows(name):
    """Linux looks for `/bin/sh\\r`."""
    archive = made((name, "#!/bin/sh\r\nexit\r\n", 0o100755))

    assert only(archive)[0] == "error script-with-crlf"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("python\\a.py", "error backslash-in-name", id="backslash"),
        pytest.param("python/../../a.py", "error path-outside", id="up"),
        pytest.param("..", "error path-outside", id="only-up"),
        pytest.param("/python/a.py", "error path-outside", id="absolute"),
        pytest.param("C:/python/a.py", "error path-outside", id="drive"),
        pytest.param("__MACOSX/python/._a.py", "warning left-behind", id="mac-folder"),
        pytest.param("python/._a.py", "warning left-behind", id="apple-double"),
        pytest.param("python/x/.DS_Store", "warning left-behind", id="finder"),
        pytest.param("python/.#a.py", "warning left-behind", id="emacs-lock"),
        pytest.param("python/#a.py#", "warning left-behind", id="emacs-unsaved"),
        pytest.param("python/a.py~", "warning left-behind", id="backup"),
        pytest.param("python/.a.py.swp", "warning left-behind", id="vim"),
        pytest.param("Thumbs.db", "warning left-behind", id="explorer"),
    ],
)
def test_name_that_does_not_belong_there(name, code):
    archive = made(("python/a.txt", "", FILE), (name, "", FILE))

    level_and_code, message = only(archive)

    assert level_and_code == code
    assert message.endswith(f"like {name}")


def test_backslash_and_dots_are_both_found():
    assert found(made(("a\\..\\b.py", "", FILE))) == [
        "error backslash-in-name",
        "error path-outside",
    ]


def test_name_that_is_not_marked_as_utf_8():
    """Zips of the Windows Explorer: the letter is in the code page of that machine."""
    archive = made(("python/gr\xf6\xdfe.py", "", FILE)).content
    unmarked = archive.replace("gr\xf6\xdfe".encode(), b"gr\x94\xe1e__")
    flags = struct.pack("<H", 0x800)
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = unmarked.index(signature) + place
        assert unmarked[at : at + 2] == flags
        unmarked = unmarked[:at] + b"\0\0" + unmarked[at + 2 :]

    assert only(Archive(unmarked, "layer.zip"))[0] == "warning name-unclear"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("contents", "code", "end"),
    [
        pytest.param(
            ("1", "2"), "error name-twice", "other content each time: one of them wins", id="differ"
        ),
        pytest.param(("1", "1"), "warning name-twice", "once, like python/a.py", id="same"),
    ],
)
def test_name_that_is_there_twice(contents, code, end):
    archive = made(*(("python/a.py", content, FILE) for content in contents))

    level_and_code, message = only(archive)

    assert level_and_code == code
    assert message.endswith(end)


def test_names_that_differ_only_in_case():
    archive = made(("python/Chat.py", "", FILE), ("python/chat.py", "", FILE))

    assert only(archive) == (
        "warning names-differ-in-case",
        "layer.zip has python/Chat.py and python/chat.py, which are one file on macOS and Windows",
    )


@pytest.mark.parametrize(
    ("target", "code"),
    [
        pytest.param("nowhere.py", "error dangling-link", id="nowhere"),
        pytest.param("../python/b.py", "error dangling-link", id="nowhere-by-detour"),
        pytest.param("/home/me/a.py", "warning link-outside", id="absolute"),
        pytest.param("../../a.py", "warning link-outside", id="above"),
    ],
)
def test_link_that_leads_to_nothing_in_the_zip(target, code):
    archive = made(("python/a.py", "", FILE), ("python/x.py", target, LINK))

    assert only(archive)[0] == code


def test_encrypted_zip_is_named_as_such_and_not_as_damaged():
    plain = made(("python/a.py", "x = 1", FILE)).content
    content = bytearray(plain)
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[plain.index(signature) + place] |= 1

    [finding] = check_zip(Archive(bytes(content), "layer.zip"), "shared_utils")

    assert f"{finding.level} {finding.code}" == "error encrypted"


def test_damaged_zip():
    content = made(("python/a.py", "x = 1", FILE)).content

    [finding] = check_zip(Archive(content.replace(b"x = 1", b"x = 2"), "layer.zip"), "shared_utils")

    assert f"{finding.level} {finding.code}" == "error damaged"
    assert "Bad CRC-32" in finding.message


def test_zip_that_unpacks_to_more_than_it_says_is_damaged():
    """A bomb with a small number in its directory: no more than that number of bytes is unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("python/a.py"), bytes(1_000_000), zipfile.ZIP_DEFLATED)
    lying = buffer.getvalue().replace(struct.pack("<I", 1_000_000), struct.pack("<I", 10))

    [finding] = check_zip(Archive(lying, "layer.zip"), "shared_utils")

    assert f"{finding.level} {finding.code}" == "error damaged"
