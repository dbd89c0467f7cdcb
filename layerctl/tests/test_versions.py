"""The list says of each version when it was published, what it is, and who uses it."""

import hashlib
import json

from layerctl import show
from layerctl.archive import Archive
from layerctl.bytecode import MAGIC, pythons_of
from layerctl.versions import describe

from .conftest import PYTHON, zipped


def test_list_says_who_uses_each_version(ctl, cloud, layer_zip, newer_zip):
    layer = cloud.name("Listed")
    first = cloud.publish(layer, layer_zip.read_bytes())
    second = cloud.publish(layer, newer_zip.read_bytes())
    user = cloud.function(cloud.name("user"), (first,))

    rows = json.loads(ctl("versions", "--layer", layer, "--json").stdout)

    assert [row["arn"] for row in rows] == [second, first]
    assert [row["used_by"] for row in rows] == [[], [user]]
    assert rows[1]["sha256"] == hashlib.sha256(layer_zip.read_bytes()).hexdigest()
    assert rows[1]["runtimes"] == [f"python{PYTHON}"]
    assert rows[1]["created"].startswith("20")


def test_list_fits_a_terminal(ctl, cloud, layer_zip):
    layer = cloud.name("Narrow")
    arn = cloud.publish(layer, layer_zip.read_bytes(), ("python3.11", "python3.12", "python3.13"))
    name = cloud.function("websocket-audio-ten-connection", (arn,))

    lines = ctl("versions", "--layer", layer).stdout.splitlines()

    assert lines[0].split() == ["version", "published", "sha256", "python", "used", "by"]
    assert lines[1].split()[0] == "1"
    assert "3.11-3.13" in lines[1]
    assert lines[1].rstrip().endswith(name)
    assert max(map(len, map(str.rstrip, lines))) <= 80


def test_deleted_version_that_is_still_used_is_listed(ctl, cloud, layer_zip):
    layer = cloud.name("Deleted")
    gone = cloud.publish(layer, layer_zip.read_bytes())
    cloud.publish(layer, layer_zip.read_bytes())
    name = cloud.function(cloud.name("holder"), (gone,))
    cloud.functions.delete_layer_version(LayerName=layer, VersionNumber=1)

    output = ctl("versions", "--layer", layer).stdout

    assert f"{layer}:1 is deleted and still used by {name}" in output


def test_description_is_read_from_the_source():
    source = '__version__ = "1.2.3"\n__build__ = "0123abcd"\n'
    archive = Archive(zipped({"python/shared_utils/__init__.py": source}), "zip")

    assert describe(archive, "shared_utils") == "shared_utils 1.2.3, build 0123abcd"
    assert describe(archive, "other") == "other"


def test_runtimes_are_brief():
    assert show.brief_runtimes(["python3.12", "python3.11", "python3.13"]) == "3.11-3.13"
    assert show.brief_runtimes(["python3.11", "python3.13"]) == "3.11, 3.13"
    assert show.brief_runtimes([]) == "any"
    assert show.brief_runtimes(["nodejs22.x"]) == "nodejs22.x"


def test_magic_numbers_are_the_interpreters_own():
    from importlib.util import MAGIC_NUMBER

    assert MAGIC[PYTHON] == int.from_bytes(MAGIC_NUMBER[:2], "little")


def test_pythons_are_read_from_the_bytecodes_names():
    names = ["a.cpython-311.pyc", "a.cpython-39.pyc", "a.cpython-314.pyc", "b.pyc"]
    archive = Archive(zipped(dict.fromkeys(names, "")), "zip")

    assert pythons_of(archive) == ["3.9", "3.11", "3.14"]
