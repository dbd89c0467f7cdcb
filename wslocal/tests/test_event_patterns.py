"""Event patterns match as Lambda's documentation has it, and an unknown one is refused by name."""

import json

import pytest

from wslocal.events.errors import EventError
from wslocal.events.patterns import matches, read_pattern


def read(pattern):
    return read_pattern(json.dumps(pattern), "the queue")


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        pytest.param({"a": ["x", "y"]}, {"a": "y"}, id="one-of"),
        pytest.param({"a": [1]}, {"a": 1.0}, id="number"),
        pytest.param({"a": [None]}, {"a": None}, id="null"),
        pytest.param({"a": [""]}, {"a": ""}, id="empty"),
        pytest.param({"a": [True]}, {"a": True}, id="true"),
        pytest.param({"a": ["x"]}, {"a": ["z", "x"]}, id="in-a-list"),
        pytest.param({"a": {"b": ["x"]}}, {"a": {"b": "x", "c": 1}}, id="nested"),
        pytest.param({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, id="list-of-objects"),
        pytest.param({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "y"}, id="and"),
        pytest.param({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, id="or"),
        pytest.param({"a": [{"prefix": "go"}]}, {"a": "good"}, id="prefix"),
        pytest.param({"a": [{"suffix": ".png"}]}, {"a": "a.png"}, id="suffix"),
        pytest.param({"a": [{"equals-ignore-case": "Ab"}]}, {"a": "aB"}, id="ignore-case"),
        pytest.param({"a": [{"anything-but": ["x", "y"]}]}, {"a": "z"}, id="anything-but"),
        pytest.param({"a": [{"anything-but": "x"}]}, {"a": 1}, id="anything-but-one"),
        pytest.param({"a": [{"anything-but": {"prefix": "go"}}]}, {"a": "no"}, id="but-prefix"),
        pytest.param({"a": [{"numeric": ["=", 5]}]}, {"a": 5}, id="numeric"),
        pytest.param({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, id="range"),
        pytest.param({"a": [{"exists": True}]}, {"a": None}, id="exists"),
        pytest.param({"a": [{"exists": False}]}, {"b": 1}, id="exists-not"),
        pytest.param({"a": {"b": [{"exists": False}]}}, {"b": 1}, id="exists-not-deeper"),
    ],
)
def test_match(pattern, event):
    assert matches(read(pattern), event)


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        pytest.param({"a": ["x"]}, {"a": "xx"}, id="longer"),
        pytest.param({"a": ["x"]}, {"b": "x"}, id="missing"),
        pytest.param({"a": [1]}, {"a": True}, id="true-is-no-number"),
        pytest.param({"a": [1]}, {"a": "1"}, id="text-is-no-number"),
        pytest.param({"a": ["x"], "b": ["y"]}, {"a": "x"}, id="and"),
        pytest.param({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "y"}, id="or"),
        pytest.param({"a": [{"prefix": "go"}]}, {"a": 1}, id="prefix-of-a-number"),
        pytest.param({"a": [{"suffix": ".png"}]}, {"a": "png"}, id="suffix"),
        pytest.param({"a": [{"anything-but": ["x"]}]}, {"a": "x"}, id="anything-but"),
        pytest.param({"a": [{"anything-but": ["x"]}]}, {}, id="anything-but-nothing"),
        pytest.param({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5.1}, id="above"),
        pytest.param({"a": [{"numeric": [">", 0]}]}, {"a": "1"}, id="numeric-text"),
        pytest.param({"a": [{"numeric": [">", 0]}]}, {"a": True}, id="numeric-true"),
        pytest.param({"a": [{"exists": True}]}, {"a": {"b": 1}}, id="exists-is-for-leaves"),
        pytest.param({"a": [{"exists": False}]}, {"a": 1}, id="exists-not"),
        pytest.param({"a": {"b": ["x"]}}, {"a": "x"}, id="no-object"),
        pytest.param({"a": ["x"]}, "text", id="no-event"),
    ],
)
def test_no_match(pattern, event):
    assert not matches(read(pattern), event)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        pytest.param({"a": [{"wildcard": "*"}]}, "operator wildcard: only prefix", id="operator"),
        pytest.param({"a": [{"cidr": "10.0.0.0/8"}]}, "operator cidr", id="cidr"),
        pytest.param({"a": [{"numeric": ["~", 1]}]}, "what numeric does not take", id="sign"),
        pytest.param({"a": [{"numeric": [">"]}]}, "what numeric does not take", id="no-limit"),
        pytest.param({"a": [{"exists": 1}]}, "what exists does not take", id="exists"),
        pytest.param({"a": [{"prefix": ["x"]}]}, "what prefix does not take", id="prefix"),
        pytest.param({"a": [{"anything-but": []}]}, "what anything-but", id="nothing-excluded"),
        pytest.param({"a": [{"prefix": "a", "suffix": "b"}]}, "one operator", id="two-operators"),
        pytest.param({"a": [["x"]]}, "not of lists", id="list-of-lists"),
        pytest.param({"a": "x"}, "a list of values or an object", id="bare"),
        pytest.param({"$or": [{"a": ["x"]}]}, "a list of patterns", id="or-of-one"),
        pytest.param({"$or": [{"a": ["x"]}, {"b": 1}]}, "b in the filter", id="inside-or"),
        pytest.param({}, "must be a JSON object that names fields", id="empty"),
        pytest.param(["a"], "must be a JSON object that names fields", id="list"),
    ],
)
def test_refused(pattern, said):
    with pytest.raises(EventError, match=said) as caught:
        read(pattern)

    assert "the queue" in str(caught.value)


def test_no_json():
    with pytest.raises(EventError, match="the filter of the queue is no JSON"):
        read_pattern("{", "the queue")
