"""What the page says of being on air, through mutes, cuts, reloads and lost microphones."""

from __future__ import annotations

import contextlib
import re

import pytest

# The page's microphones, to be taken away, stopped by a call, or waited for.
MICROPHONES = """(() => {
  window.tracks = [];
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    window.tracks.push(...stream.getAudioTracks());
    return stream;
  };
})()"""
# How loud the listener's page plays.
VOLUMES = """() => {
  const set = AudioParam.prototype.setTargetAtTime;
  window.volumes = [];
  AudioParam.prototype.setTargetAtTime = function (...a) { window.volumes.push(a[0]); set.apply(this, a); };
}"""
LOSE = """() => {
  const track = window.tracks.at(-1);
  track.stop();
  track.dispatchEvent(new Event("ended"));
}"""


@pytest.fixture
def talk(tab):
    """Return a speaker's tab and a listener's, who hears it."""
    speaker = tab("speak")
    listener = tab("listen").listens(speaker.speaks())
    listener.sees("#listen-broadcast", "Live.")
    return speaker, listener


def state(person, view):
    return person.page.get_attribute(f"#{view}", "data-state")


def becomes(person, view, wanted):
    person.page.wait_for_selector(f"#{view}[data-state={wanted}]", state="attached")


def is_silent(listener):
    """Wait until the listener hears nothing of the speaker, and the page says so."""
    listener.sees("#listen-broadcast", "No sound arrives at the moment.")


@contextlib.contextmanager
def cut(running, speaker):
    """Take the gateway away until the end of a `with` statement, which begins when the speaker's page knows it."""
    running.kill_gateway()
    try:
        becomes(speaker, "speak", "reconnecting")
        yield
    finally:
        running.start_gateway()


def test_every_view_the_title_and_the_icon_say_that_one_is_live(talk):
    speaker, _ = talk
    becomes(speaker, "speak", "live")
    session_id = speaker.text("#speak-session")
    speaker.page.click("nav a[href='#listen']")

    assert speaker.page.is_visible("#on-air")
    assert speaker.text("#on-air-word") == "LIVE"
    assert speaker.text("#on-air-link") == f"You speak in {session_id}"
    assert speaker.page.title() == f"LIVE · {session_id} · WebSocket Audio"
    assert speaker.page.get_attribute("link[rel=icon]", "href") == "icon-live.svg"
    speaker.page.click("#on-air-link")
    speaker.page.wait_for_selector("#speak-live:visible")
    speaker.page.click("#speak-end")
    speaker.page.wait_for_selector("#speak-form:visible")
    assert speaker.page.is_hidden("#on-air")
    assert speaker.page.title() == "WebSocket Audio"
    assert speaker.page.get_attribute("link[rel=icon]", "href") == "icon.svg"


def test_mute_holds_at_once_and_through_a_cut(running, talk):
    """It is pressed while there is no connection: nothing is sent when there is one again."""
    speaker, listener = talk
    with cut(running, speaker):
        speaker.page.click("#speak-mute")
        assert speaker.page.get_attribute("#speak-mute", "aria-pressed") == "true"
        sent = len(speaker.sent)
    becomes(speaker, "speak", "muted")
    listener.sees("#listen-broadcast", "The speaker is muted.")

    assert len(speaker.sent) == sent
    assert speaker.page.is_hidden("#speak-problem")
    speaker.page.click("#speak-mute")
    becomes(speaker, "speak", "live")
    listener.sees("#listen-broadcast", "Live.")


@pytest.mark.parametrize(
    "is_muted",
    [pytest.param(False, id="live"), pytest.param(True, id="muted", marks=pytest.mark.long)],
)
def test_speaker_whose_page_is_loaded_again_goes_on(talk, is_muted):
    speaker, listener = talk
    session_id, link = (
        speaker.text("#speak-session"),
        speaker.page.get_attribute("#speak-invite", "href"),
    )
    if is_muted:
        speaker.page.click("#speak-mute")
        listener.sees("#listen-broadcast", "The speaker is muted.")
    played = listener.number("#listen-played")
    last = max(speaker.sent)
    speaker.sent.clear()
    speaker.page.reload()

    becomes(speaker, "speak", "muted" if is_muted else "live")
    assert speaker.text("#speak-session") == session_id
    assert speaker.page.get_attribute("#speak-invite", "href") == link
    if is_muted:
        speaker.page.click("#speak-mute")
    listener.sees("#listen-broadcast", "Live.")
    listener.reaches("#listen-played", played + 10)
    # What a page sends in its last moments may not be seen here.
    assert last < min(speaker.sent) <= last + 3


@pytest.mark.long
def test_listener_and_interpreter_whose_pages_are_loaded_again_go_on(tab, talk):
    speaker, listener = talk
    interpreter = tab(speaker.page.get_attribute("#speak-interpreters-invite", "href")[1:])
    interpreter.page.check("#interpret-recording")
    interpreter.page.click("#interpret-start")
    listener.sees("#listen-hears", "You hear the German interpreter.")
    for person in (listener, interpreter):
        person.page.reload()
        person.page.wait_for_selector("body[data-ready]")
        person.page.click("h1")  # a browser may want a tap before it lets sound out

    becomes(listener, "listen", "live")
    becomes(interpreter, "interpret", "live")
    listener.sees("#listen-hears", "You hear the German interpreter.")
    assert interpreter.page.is_visible("#interpret-live")


@pytest.mark.threat("duplicated-tab")
def test_duplicated_tab_does_not_take_the_session(talk):
    """Its copy of the token stays unused, and is gone."""
    speaker, listener = talk
    kept = speaker.page.evaluate("sessionStorage.getItem('session.speak')")
    copy = speaker.page.context.new_page()
    copy.add_init_script(f"sessionStorage.setItem('session.speak', {kept!r})")
    copy.goto(speaker.page.url)
    copy.wait_for_selector("body[data-ready]")
    copy.locator("#speak-status").filter(has_text="in another tab").wait_for()

    assert copy.is_visible("#speak-form")
    assert copy.evaluate("sessionStorage.getItem('session.speak')") is None
    played = listener.number("#listen-played")
    listener.reaches("#listen-played", played + 5)
    assert state(speaker, "speak") == "live"


@pytest.mark.long
@pytest.mark.threat("duplicated-tab")
def test_token_is_in_the_tab_only_until_it_is_used(talk, running):
    speaker, _ = talk
    kept = "JSON.parse(sessionStorage.getItem('session.speak')).refreshToken"
    first = speaker.page.evaluate(kept)
    running.kill_gateway()
    running.start_gateway()
    becomes(speaker, "speak", "reconnecting")
    becomes(speaker, "speak", "live")

    speaker.page.wait_for_function(f"(first) => {kept} !== first", arg=first)
    speaker.page.click("#speak-end")
    speaker.page.wait_for_selector("#speak-form:visible")
    assert speaker.page.evaluate("sessionStorage.getItem('session.speak')") is None


def test_microphone_that_is_lost_is_said_and_another_one_takes_its_place(tab):
    speaker = tab("speak")
    speaker.page.evaluate(MICROPHONES)
    listener = tab("listen").listens(speaker.speaks())
    listener.sees("#listen-broadcast", "Live.")
    speaker.page.evaluate(LOSE)
    speaker.sees("#speak-broadcast", "your microphone is gone")
    is_silent(listener)
    assert speaker.page.title().startswith("NOT LIVE")
    speaker.page.click("#speak-another")

    becomes(speaker, "speak", "live")
    listener.sees("#listen-broadcast", "Live.")


@pytest.mark.long
def test_warnings_of_the_system_are_shown(tab):
    speaker = tab("speak")
    speaker.page.route_web_socket(re.compile("^ws:"), _warns)
    speaker.speaks("recording")

    speaker.sees("#speak-warning", "You are too loud")


def _warns(socket):
    server = socket.connect_to_server()
    warning = (
        '{"type": "audioQualityWarning", "timestamp": 1, "sessionId": "golden-eagle-427", "warningType": "clipping",'
        ' "severity": "warning", "message": "m", "recommendation": "r"}'
    )

    def forward(message):
        socket.send(message)
        if '"sessionCreated"' in message:
            socket.send(warning)

    server.on_message(forward)


@pytest.mark.long
def test_page_on_which_somebody_is_live_asks_before_it_is_left(talk):
    speaker, listener = talk
    asked = []
    for person in (speaker, listener):
        person.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        person.page.close(run_before_unload=True)
        person.page.wait_for_event("close") if not person.page.is_closed() else None

    assert asked == ["beforeunload"]


@pytest.mark.long
def test_speaker_who_is_refused_the_microphone_after_a_reload_stays_in_the_session(talk):
    speaker, _ = talk
    session_id = speaker.text("#speak-session")
    refused = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
    speaker.page.add_init_script(refused)
    speaker.page.reload()

    becomes(speaker, "speak", "deviceLost")
    speaker.sees("#speak-broadcast", "This page may not use the microphone.")
    assert speaker.text("#speak-session") == session_id
    assert speaker.page.is_visible("#speak-another")


@pytest.mark.long
def test_reload_while_the_microphone_is_asked_for_loses_nothing(talk):
    speaker, _ = talk
    session_id = speaker.text("#speak-session")
    speaker.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => new Promise(() => {})"
    )
    for _ in range(2):
        speaker.page.reload()
        becomes(speaker, "speak", "checking")
        assert speaker.page.is_hidden("#speak-form")

    assert speaker.text("#speak-session") == session_id


def test_end_that_is_wanted_during_a_cut_is_the_end(running, talk):
    speaker, listener = talk
    with cut(running, speaker):
        speaker.page.click("#speak-end")
        speaker.sees("#speak-broadcast", "Ending the session: nobody hears you any more.")

    speaker.sees("#speak-status", "You ended the session.")
    listener.sees("#listen-status", "The speaker ended the session.")


@pytest.mark.long
def test_volume_that_is_wanted_during_a_cut_comes_after_it(running, talk):
    speaker, listener = talk
    listener.page.evaluate(VOLUMES)
    with cut(running, speaker):
        speaker.page.fill("#speak-volume", "0.4")
    becomes(speaker, "speak", "live")

    listener.page.wait_for_function("() => window.volumes.includes(0.4)")
    assert speaker.page.input_value("#speak-volume") == "0.4"
    assert speaker.page.is_hidden("#speak-problem")
