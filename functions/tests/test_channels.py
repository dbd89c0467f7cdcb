"""Who hears what."""

import pytest

from broadcast.channels import Interpreter, Listener, channel_of, heard_by

# What a listener asks for, which languages have an interpreter, the session's own language: what is heard.
ROWS = [
    ("de", [], "en", "floor"),
    ("de", ["de"], "en", "de"),
    ("de", ["fr"], "en", "floor"),
    ("de-AT", ["de"], "en", "de"),
    ("de-AT", ["de", "de-AT"], "en", "de-AT"),
    ("de-AT", ["de-CH"], "en", "floor"),
    ("de", ["de-AT"], "en", "floor"),
    ("de-CH", ["de-AT", "de-CH", "fr"], "en", "de-CH"),
    ("zh-Hans-CN", ["zh-Hans", "zh"], "en", "zh"),
    ("zh-Hans-CN", ["zh-Hans"], "en", "floor"),
    ("en", [], "en", "floor"),
    # The interpreter of the session's own language is the captioner of the floor, and has no channel.
    ("en", ["en"], "en", "floor"),
    ("en-GB", ["en"], "en", "floor"),
    ("en-GB", ["en", "en-GB"], "en", "en-GB"),
    ("en-US", ["en"], "en-US", "floor"),
    ("en-GB", ["en"], "en-US", "en"),
    ("en", ["en-US"], "en-US", "floor"),
    ("fil", ["fi"], "en", "floor"),
]


@pytest.mark.parametrize(("language", "channels", "own", "heard"), ROWS)
def test_listener_hears_the_channel_of_the_tag_or_of_its_language_or_the_floor(
    language, channels, own, heard
):
    assert channel_of(language, channels, own) == heard
    assert heard_by(Listener("ann", language), channels, own) == heard


@pytest.mark.parametrize(("language", "channels", "own", "_heard"), ROWS)
def test_who_wants_the_original_hears_the_floor(language, channels, own, _heard):
    listener = Listener("ann", language, wants_original=True)

    assert heard_by(listener, channels, own) == "floor"


@pytest.mark.parametrize(
    ("now_ms", "is_silent"),
    [
        pytest.param(110_000, True, id="ten-seconds"),
        pytest.param(109_999, False, id="less"),
        pytest.param(90_000, False, id="clock-behind"),
    ],
)
def test_interpreter_is_silent_after_ten_seconds_without_a_sign(now_ms, is_silent):
    assert Interpreter("ida", "ida", 100_000).is_silent(now_ms) is is_silent
