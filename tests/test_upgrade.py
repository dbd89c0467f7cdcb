"""Who wrote a function against an older release can have this layer: names, calls, messages and answers hold."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from shared_utils import SERVER_MESSAGES, __version__, example, parse_message
from tests.upgrade.comparing import announced, holds, refusals, unrecorded
from tests.upgrade.recording import interface_of, played

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
RECORDS = sorted(path.parent for path in ROOT.glob("tests/upgrade/*/interface.json"))
ANNOUNCE = """CHANGELOG.md needs a line for each, in this version's section:
- Renamed: `old_name` to `new_name`
- Removed: `old_name`"""


@pytest.fixture(scope="module", params=RECORDS, ids=lambda path: path.name)
def record(request):
    """Return the folder of a release's record."""
    return request.param


@pytest.fixture(scope="module")
def old(record):
    return json.loads((record / "interface.json").read_text())


@pytest.fixture(scope="module")
def new(layer):
    return interface_of(layer)


@pytest.fixture(scope="module")
def excused(old):
    """Return the names that the changelog says are renamed or removed."""
    return announced(CHANGELOG, old["version"])


def test_record_is_of_the_version_that_its_folder_names(record, old):
    assert old["version"] == record.name
    assert len(old["names"]) > 100


def test_every_name_is_there_or_announced(old, new, excused):
    gone = {*old["names"], *old["calls"]} - {*new["names"], *new["calls"]}

    assert {name for name in gone if name.rpartition(":")[2] not in excused} == set(), ANNOUNCE


def test_every_call_is_taken(old, new, excused):
    both = old["calls"].keys() & new["calls"].keys()
    said = {name: refusals(old["calls"][name], new["calls"][name]) for name in both}

    assert {
        name: why for name, why in said.items() if why and name.rpartition(":")[2] not in excused
    } == {}, ANNOUNCE


def test_every_class_is_what_it_was(old, new, excused):
    """Who catches ApplicationError, or asks for a ClientMessage, still gets it."""
    lost = {
        name: {*bases} - {*new["bases"][name]} - excused
        for name, bases in old["bases"].items()
        if name in new["bases"]
    }

    assert {name: bases for name, bases in lost.items() if bases} == {}


@pytest.mark.parametrize("part", ["codes", "metrics"])
def test_codes_and_metrics_mean_what_they_meant(old, new, part):
    assert holds(new[part], old[part])


def test_messages_of_old_clients_are_parsed(old):
    messages = [message for pair in old["sent"].values() for message in pair]

    assert len(messages) > 20
    for message in messages:
        assert holds(parse_message(json.dumps(message)).to_dict(), message)


def test_old_clients_can_read_what_they_get(old):
    """They leave out what they do not know."""
    known = old["taken"].keys() & SERVER_MESSAGES.keys()

    assert known == old["taken"].keys()
    for name in known:
        jsonschema.validate(example(SERVER_MESSAGES[name]).to_dict(), old["taken"][name])


@pytest.mark.parametrize("name", ["asynchronous", "chat", "worker"])
def test_old_functions_answer_as_they_did(record, layer, name, excused):
    """Under Lambda's runtime client, on the zip as it is built now."""
    before = json.loads((record / "answers.json").read_text())[name]
    function = record / "functions" / f"{name}.py"
    used = {name.rpartition(".")[2] for name in excused} & {
        *re.findall(r"\w+", function.read_text())
    }
    remedy = f"{function} uses no name that CHANGELOG.md renames or removes"
    if used:
        remedy = f"put into {function} what took the place of {sorted(used)}"

    now = played(layer, record / "functions", name, [row["event"] for row in before])

    assert [row["error"] for row in now] == [None] * len(before), remedy
    for one, other in zip(now, before, strict=True):
        assert holds(one, other), f"{one} is not {other}; {remedy}"


# --- what is seen ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("a, b=0", "a, b=0, c=0", []),
        ("a, b=0", "a=0, *rest, b=0, **more", []),
        ("a, *, b", "a, b", []),
        ("a", "a, b", ["wants b"]),
        ("a, b=0", "a, b", ["wants b"]),
        ("a, b=0", "a", ["takes b by name only, or not at all", "takes no b"]),
        ("a, b=0", "a, *, b=0", ["takes b by name only, or not at all"]),
        ("a, b", "b, a", ["takes b in the place of a", "takes a in the place of b"]),
        ("a, /", "b, /", []),
        ("a", "a, /", ["takes no a"]),
        ("a", "b", ["takes b in the place of a", "takes no a"]),
        ("*, a=0", "*, b=0", ["takes no a"]),
        ("*rest, **more", "", ["takes no further *rest", "takes no further **more"]),
        (None, "a", []),
        ("a", None, ["cannot be called"]),
    ],
)
def test_call_that_is_not_taken_any_more_is_seen(before, after, said):
    assert refusals(before, after) == said


def test_only_lines_of_newer_versions_excuse():
    changelog = (
        "## 0.3.0\n- Renamed: `old_name` to `new_name`\n- `other` is new\n"
        "## 0.2.0\n- Removed: `older`\n"
    )

    assert announced(changelog, "0.2.0") == {"old_name"}
    assert announced(changelog, "0.1.0") == {"old_name", "older"}


@pytest.mark.parametrize(
    ("new", "same"),
    [
        ({"a": [1, {"b": 2, "c": 3}], "d": 4}, True),
        ({"a": [1, {"b": 3}]}, False),
        ({"a": [1, {}]}, False),
        ({"a": [1]}, False),
        ({"a": [True, {"b": 2}]}, False),
        ([1], False),
    ],
)
def test_answer_may_hold_more_and_nothing_else(new, same):
    assert holds(new, {"a": [1, {"b": 2}]}) is same


@pytest.mark.parametrize(
    ("new", "same"),
    [
        ("action must be one of a, b, got 'x'", True),
        ("action must be one of a, c, b, got 'x'", True),
        ("action must be one of a, c, got 'x'", False),
        ("type must be one of a, b, got 'x'", False),
        ("action must be one of a, b, got 'y'", False),
        ("action is required", False),
    ],
)
def test_refusal_may_list_more_choices(new, same):
    assert holds(new, "action must be one of a, b, got 'x'") is same


def test_every_release_before_this_one_has_a_record():
    names = {path.name for path in RECORDS}

    assert unrecorded(CHANGELOG, __version__, names) == set(), "docs/release.md says how to record"
    assert "0.1.0" in names


def test_only_what_was_released_before_needs_a_record():
    changelog = (
        "## 0.11.0, not released\n## 0.10.0 - 2027-02-01\n## 0.9.0 - 2027-01-01\n"
        "## 0.8.1, not released\n## 0.2.0 - 2026-12-01\n"
    )

    assert unrecorded(changelog, "0.10.0", {"0.1.0", "0.2.0"}) == {"0.9.0"}
    assert unrecorded(changelog, "0.2.0", {"0.1.0"}) == set()
