"""Secrets in every name, shape and place: none is seen in a line but what is known to be shown."""

from __future__ import annotations

import itertools
import json

import pytest

from planted_secrets import (
    CARRIERS,
    ORDINARY,
    ORDINARY_NAMES,
    PLANTED,
    QUOTED_SHAPES,
    SECRET_NAMES,
    SHAPES,
    SHOWN,
    SPOKEN_NAMES,
    STRUCTURES,
    TOKENS,
    spellings,
    written,
)
from shared_utils.structured_logger import StructuredLogger

# Thousands, and the same under each Python.
pytestmark = pytest.mark.slow

SECRET_SPELLINGS = [spelling for name in SECRET_NAMES for spelling in spellings(name)]
SPOKEN_SPELLINGS = [spelling for name in SPOKEN_NAMES for spelling in spellings(name)]


@pytest.fixture(scope="module")
def log():
    """A logger past the first line of its process."""
    logger = StructuredLogger("Planted")
    written(logger.info, "first")
    return logger


def spelt(names, turn):
    """Return each name in one of its spellings, another one in another turn."""
    return [spellings(name)[(number + turn) % 6] for number, name in enumerate(names)]


def texts_in(value):
    """Return all names and texts of a JSON value, one after the other."""
    if isinstance(value, dict):
        return "\n".join(f"{name}\n{texts_in(inner)}" for name, inner in value.items())
    return "\n".join(map(texts_in, value)) if isinstance(value, list) else str(value)


TURNS = list(enumerate(itertools.product(SHAPES, CARRIERS)))


@pytest.mark.parametrize(
    ("turn", "shape", "carrier"), [(turn, *pair) for turn, pair in TURNS], ids=lambda v: str(v)
)
@pytest.mark.threat("secret-in-log", "log-no-secrets", "ws-log-no-secrets")
def test_no_text_shows_what_stands_behind_a_secret_name(log, turn, shape, carrier):
    shown = {
        name: written(CARRIERS[carrier], log, SHAPES[shape](name, PLANTED))
        for name in spelt(SECRET_NAMES, turn)
    }

    assert [name for name, line in shown.items() if PLANTED in line or "REDACTED" not in line] == []


@pytest.mark.parametrize("shape", QUOTED_SHAPES)
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.threat("log-no-people")
def test_no_text_shows_what_stands_behind_the_name_of_what_people_say(log, shape, carrier):
    shown = {
        name: written(CARRIERS[carrier], log, SHAPES[shape](name, PLANTED))
        for name in spelt(SPOKEN_NAMES, len(shape + carrier))
    }

    assert [name for name, line in shown.items() if PLANTED in line or "REDACTED" not in line] == []


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.threat("secret-in-log", "log-no-secrets")
def test_no_text_shows_a_secret_that_is_recognised_alone(log, token):
    text, secret = TOKENS[token]
    around = [text, f"Refused {text}", f"{text} was refused", json.dumps([text]), f"a={text}\nb"]

    shown = {
        (carrier, text): written(act, log, text)
        for text in around
        for carrier, act in CARRIERS.items()
    }

    assert [at for at, line in shown.items() if secret in line or "REDACTED" not in line] == []


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.threat("secret-in-log")
def test_no_structure_shows_what_a_secret_name_stands_for(log, structure):
    shown = {
        name: written(lambda: log.info("m", data=STRUCTURES[structure](name, PLANTED)))  # noqa: B023
        for name in SECRET_SPELLINGS + SPOKEN_SPELLINGS
        if name in SECRET_SPELLINGS or ("curl" not in structure and "argument" not in structure)
    }

    assert [name for name, line in shown.items() if PLANTED in line or "REDACTED" not in line] == []


@pytest.mark.parametrize("name", SECRET_SPELLINGS + SPOKEN_SPELLINGS)
def test_no_field_of_a_secret_name_is_seen(log, name):
    line = written(lambda: log.bind(**{name: PLANTED}).info("m", a=1, **{name: PLANTED}))

    assert json.loads(line)["context"] == {name: "[REDACTED]", "a": 1}


@pytest.mark.parametrize("name", SECRET_SPELLINGS)
def test_no_field_that_another_one_names_is_seen(log, name):
    changed = written(lambda: log.info("m", field=name, old=PLANTED, new=1, at=2))
    bound = written(lambda: log.bind(name=name, value=PLANTED).info("m"))

    assert json.loads(changed)["context"] == {
        "field": name, "old": "[REDACTED]", "new": "[REDACTED]", "at": 2
    }  # fmt: skip
    assert json.loads(bound)["context"] == {"name": name, "value": "[REDACTED]"}


@pytest.mark.parametrize(("text", "part", "reason"), SHOWN, ids=[text for text, _, _ in SHOWN])
@pytest.mark.threat("secret-in-log")
def test_what_is_known_to_be_shown_is_shown(log, text, part, reason):
    """Who makes it hidden takes the row out of the table."""
    assert part in json.loads(written(log.info, text))["message"]
    assert reason


@pytest.mark.parametrize("carrier", CARRIERS)
def test_ordinary_texts_stay_as_they_are(log, carrier):
    shown = {text: written(CARRIERS[carrier], log, text) for text in ORDINARY}

    assert [text for text, line in shown.items() if text not in texts_in(json.loads(line))] == []


@pytest.mark.parametrize("name", ORDINARY_NAMES)
def test_fields_of_ordinary_names_stay_as_they_are(log, name):
    line = json.loads(written(lambda: log.info("m", data={name: "seen"}, pair=[name, "seen"])))

    assert line["context"] == {"data": {name: "seen"}, "pair": [name, "seen"]}


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_of_ordinary_names_stay_as_they_are(log, shape):
    texts = [SHAPES[shape](name, "seen") for name in ORDINARY_NAMES]

    assert [json.loads(written(log.info, text))["message"] for text in texts] == texts
