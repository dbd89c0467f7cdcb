"""The page in a real browser, against the whole system: what a person does, and what they hear."""

from __future__ import annotations

import json
import re
import wave
from array import array
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

import node
from broadcast.keys import SHORT_KEY
from local.page import Page, sign_in_config
from tests import browser as b
from tests.issuer import Answer

VIEWS = ("speak", "listen", "interpret", "watch")


@pytest.fixture(scope="module")
def conversation(chromium, running):
    """Return a speaker's tab, a listener's, and the session's id. Each test leaves them as they were."""
    tabs = b.Tabs(chromium, running.page.url)
    speaker = tabs("speak")
    session_id = speaker.speaks()
    listener = tabs("listen").listens(session_id)
    listener.reaches("#listen-played", 1)
    yield speaker, listener, session_id
    tabs.close()


# --- the voice


def test_listener_gets_the_bytes_that_were_sent_and_hears_what_was_said(conversation, tmp_path):
    speaker, listener, session_id = conversation
    listener.reaches("#listen-played", 45)
    with listener.page.expect_download() as download:
        listener.page.click("#listen-save")
    download.value.save_as(tmp_path / "heard.wav")

    assert download.value.suggested_filename == f"{session_id}.wav"
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert file.getparams()[:3] == (1, 2, 16000)
        heard = file.readframes(file.getnframes())
    chunks = [heard[start : start + 3200] for start in range(0, len(heard), 3200)]
    # A microphone on a busy machine may give the same silence several times: it says nothing of the order.
    times = Counter(speaker.sent.values())
    numbers = {chunk: number for number, chunk in speaker.sent.items() if times[chunk] == 1}
    given = [numbers.get(chunk) for chunk in chunks]
    known = [number for number in given if number is not None]
    assert {len(chunk) for chunk in speaker.sent.values()} == {3200}
    assert len(chunks) >= 45
    assert known == sorted(set(known))
    # What did not come in time on a busy machine is a silence, and said to be one.
    missing = sum(chunk not in times for chunk in chunks)
    assert missing <= listener.number("#listen-gaps") <= 5
    run = b.longest_run(given, chunks)
    assert len(run) >= 8 * 3200
    b.write_wav(tmp_path / "run.wav", run)
    correlation = node.run("tests/correlate.mjs", b.RECORDING, tmp_path / "run.wav").stdout
    assert float(correlation) > 0.99


@pytest.mark.long
def test_recording_stands_in_for_a_microphone(tab):
    speaker = tab("speak")
    listener = tab("listen").listens(speaker.speaks("recording"))

    listener.reaches("#listen-played", 5)
    assert max(array("h", b"".join(speaker.sent.values()))) > 3000


def test_delay_is_shown(conversation):
    """A chunk is 100 ms and waits 200 ms; less, if the speaker's machine halted since the first one."""
    _, listener, _ = conversation
    listener.reaches("#listen-played", 20)

    assert 100 < listener.number("#listen-latency") < 4000


# --- the controls


def test_pause_and_mute_are_seen_by_the_listener_and_stop_the_sending(conversation):
    speaker, listener, _ = conversation
    speaker.page.click("#speak-pause")
    listener.sees("#listen-broadcast", "The speaker paused.")
    sent = len(speaker.sent)
    assert speaker.page.get_attribute("#speak-pause", "aria-pressed") == "true"
    speaker.page.click("#speak-mute")
    speaker.page.click("#speak-pause")
    listener.sees("#listen-broadcast", "The speaker is muted.")
    assert len(speaker.sent) == sent

    speaker.page.click("#speak-mute")
    listener.sees("#listen-broadcast", "Live.")
    listener.reaches("#listen-played", listener.number("#listen-played") + 3)


@pytest.mark.long
def test_volume_is_set_for_everyone(conversation):
    speaker, listener, _ = conversation
    listener.page.evaluate(
        """() => {
          const set = AudioParam.prototype.setTargetAtTime;
          window.volumes = [];
          AudioParam.prototype.setTargetAtTime = function (...a) { window.volumes.push(a[0]); set.apply(this, a); };
        }"""
    )
    speaker.page.fill("#speak-volume", "0.4")
    listener.page.wait_for_function("() => window.volumes.includes(0.4)")
    listener.page.fill("#listen-volume", "0.5")
    assert listener.page.evaluate("window.volumes.at(-1)") == pytest.approx(0.2)

    listener.page.fill("#listen-volume", "1")
    speaker.page.fill("#speak-volume", "1")
    listener.page.wait_for_function("() => window.volumes.at(-1) === 1")


def test_listener_pauses_and_goes_on_for_itself(conversation):
    speaker, listener, _ = conversation
    listener.page.click("#listen-pause")
    listener.sees("#listen-broadcast", "You paused.")
    played = listener.number("#listen-played")
    sent = len(speaker.sent)
    speaker.reaches("#speak-sent", sent + 10)
    assert listener.number("#listen-played") <= played + 4

    listener.page.click("#listen-pause")
    listener.sees("#listen-broadcast", "Live.")
    listener.reaches("#listen-played", played + 8)


@pytest.mark.long
def test_audience_is_counted_by_language(conversation, tab):
    speaker, first, session_id = conversation
    second = tab("listen").listens(session_id, "fr")
    second.reaches("#listen-played", 3)
    speaker.sees("#speak-audience", re.compile(r"French\s*1"))
    assert re.findall(r"\w+", speaker.text("#speak-audience")) == ["French", "1", "German", "1"]
    first.page.select_option("#listen-change", "fr")
    speaker.sees("#speak-audience", re.compile(r"French\s*2"))

    second.page.click("#listen-leave")
    second.sees("#listen-status", "You left.")
    speaker.sees("#speak-audience", re.compile(r"French\s*1"))
    assert speaker.text("#speak-count") == "1"
    first.page.select_option("#listen-change", "de")
    speaker.sees("#speak-audience", re.compile(r"German\s*1"))


def test_end_ends_it_for_everyone(tab):
    speaker = tab("speak")
    listener = tab("listen").listens(speaker.speaks("recording"))
    speaker.page.click("#speak-end")

    listener.sees("#listen-status", "The speaker ended the session.")
    speaker.sees("#speak-status", "You spoke for 0:")
    assert speaker.page.is_visible("#speak-form")
    assert listener.page.is_visible("#listen-form")


@pytest.mark.long
def test_invitation_opens_the_listeners_page_with_the_session(conversation):
    speaker, _, session_id = conversation
    with speaker.page.expect_popup() as popup:
        speaker.page.click("#speak-invite")
    popup.value.wait_for_selector("body[data-ready]")

    assert popup.value.input_value("#listen-session") == session_id


# --- trouble


def test_both_come_back_when_the_gateway_does(running, conversation):
    speaker, listener, _ = conversation
    running.kill_gateway()
    try:
        speaker.sees("#speak-status", "The connection broke.")
        listener.sees("#listen-status", "The connection broke.")
    finally:
        running.start_gateway()
    speaker.sees("#speak-status", "Connected.")
    listener.sees("#listen-status", "Connected.")

    listener.reaches("#listen-played", listener.number("#listen-played") + 5)
    assert speaker.number("#speak-dropped") > 0


def test_error_is_reported_in_a_sentence_to_the_person_and_to_the_operator(tab):
    listener = tab("listen")
    listener.page.fill("#listen-session", "golden-eagle-000")
    listener.page.click("#listen-start")

    listener.sees("#listen-problem", "There is no such session, or the key is wrong.")
    listener.sees("#listen-problem", "SESSION_NOT_FOUND")
    listener.page.click("#watch-beside")
    listener.sees("#errors", "Session not found")
    assert listener.page.is_enabled("#listen-start")


@pytest.mark.long
def test_session_id_of_another_form_is_not_sent(tab):
    listener = tab("listen")
    listener.page.fill("#listen-session", "Golden Eagle")
    listener.page.click("#listen-start")

    assert listener.page.evaluate(
        "document.querySelector('#listen-session').validity.patternMismatch"
    )
    assert listener.page.is_hidden("#listen-live")


def test_without_a_microphone_the_page_says_what_to_do(chromium, running):
    context = chromium.new_context()
    person = b.Tab(context, running.page.url)
    person.page.evaluate(
        """() => {
          const refused = new DOMException("", "NotFoundError");
          navigator.mediaDevices.getUserMedia = () => Promise.reject(refused);
        }"""
    )
    person.page.click("#speak-start")

    person.sees("#speak-problem", "There is no microphone at this device.")
    assert person.page.is_enabled("#speak-start")
    context.close()


# --- who may speak: an issuer says it


@pytest.fixture
def members(guarded):
    """Return a page of the same system, at which listeners sign in, too."""
    issuer = guarded.issuer
    config = sign_in_config(issuer.url, issuer.client_id, "openid", listeners=True)
    page = Page({"url": guarded.system.url, **config}, operator=False)
    page.start()
    yield SimpleNamespace(page=page, issuer=issuer)
    page.close()


@pytest.fixture
def visit(chromium):
    """Return what opens a tab on a system's page; it may ask the issuer, too."""
    opened = []

    def visit(system, fragment="", **options):
        tabs = b.Tabs(chromium, system.page.url, {urlsplit(system.issuer.url).netloc})
        opened.append(tabs)
        return tabs(fragment or "speak", **options)

    yield visit
    for tabs in opened:
        tabs.close()


def stored(tab):
    """Return all that the page keeps: by place, and the address."""
    places = "({ local: { ...localStorage }, tab: { ...sessionStorage }, cookie: document.cookie })"
    return tab.page.evaluate(places) | {"address": tab.page.url}


def sign_in(tab, view="speak"):
    tab.page.click(f"#{view}-sign-in")
    tab.page.wait_for_selector(f'body[data-ready][data-speaker="in"] #{view}-form')


def test_speaker_signs_in_speaks_and_signs_out(guarded, visit):
    speaker = visit(guarded)
    speaker.sees("#speak-sign-in", "Sign in to speak")
    assert speaker.page.is_hidden("#speak-form")
    assert speaker.page.is_hidden("#sign-out")

    sign_in(speaker)
    assert speaker.page.url == f"{guarded.page.url}#speak"
    kept = stored(speaker)
    assert (kept["local"], kept["cookie"]) == ({}, "")
    assert [*kept["tab"]] == ["sign-in.tokens"]
    assert speaker.speaks("recording")
    assert speaker.page.is_hidden("#sign-out")
    [offered] = speaker.protocols
    assert offered.startswith("websocket-audio.v1, bearer.e")
    speaker.page.click("#speak-end")
    speaker.page.click("#sign-out")

    speaker.sees("#speak-sign-in", "Sign in to speak")
    assert stored(speaker)["tab"] == {}


@pytest.mark.threat("stolen-laptop")
def test_sign_in_outlives_a_reload_and_not_the_tab(guarded, visit):
    speaker = visit(guarded)
    sign_in(speaker)
    speaker.page.reload()
    speaker.page.wait_for_selector("#speak-form:visible")

    other = speaker.page.context.new_page()
    other.goto(guarded.page.url)
    other.wait_for_selector("#speak-sign-in:visible")

    # Without a refresh token it ends by itself, and the page does not wait for a click to say so.
    speaker.page.evaluate(
        """() => {
          const kept = JSON.parse(sessionStorage.getItem("sign-in.tokens"));
          kept.tokens.refreshToken = null;
          sessionStorage.setItem("sign-in.tokens", JSON.stringify(kept));
        }"""
    )
    speaker.page.reload()
    speaker.page.wait_for_selector("#speak-form:visible")
    passes(speaker, 301)
    speaker.sees("#speak-problem", "Your sign-in has expired. Sign in again.")
    assert speaker.page.is_hidden("#speak-form")


def passes(tab, seconds):
    """Set the page's clock forward, where it stays; timers run as before."""
    tab.page.clock.set_fixed_time(datetime.now(UTC) + timedelta(seconds=seconds))


@pytest.mark.long
def test_sign_in_that_cannot_be_renewed_ends_with_a_sentence(guarded, visit, monkeypatch):
    speaker = visit(guarded)
    sign_in(speaker)
    refused = Answer(400, {"Content-Type": "application/json"}, b'{"error":"invalid_grant"}')
    monkeypatch.setitem(guarded.issuer.answers, "/token", refused)
    passes(speaker, 301)
    speaker.page.click("#speak-start")

    speaker.sees("#speak-problem", "Your sign-in has expired. Sign in again.")
    speaker.sees("#speak-sign-in", "Sign in to speak")
    assert speaker.page.evaluate("document.activeElement.id") == "speak-sign-in"
    assert speaker.protocols == []


@pytest.mark.long
def test_issuer_that_refuses_is_quoted(guarded, visit, monkeypatch):
    monkeypatch.setattr(guarded.issuer, "error", "access_denied")
    speaker = visit(guarded)
    speaker.page.click("#speak-sign-in")

    speaker.sees("#speak-problem", "You or the issuer said no.")
    assert speaker.page.url == f"{guarded.page.url}#speak"


@pytest.mark.threat("forged-sign-in")
def test_answer_that_nobody_asked_for_signs_nobody_in(guarded, visit):
    """A link to the page with another person's code must not make this one speak as that one."""
    asked_before = guarded.issuer.requests["/token"]
    speaker = visit(guarded)
    speaker.page.goto(f"{guarded.page.url}?code=of-another&state=of-another")

    speaker.sees(
        "#speak-problem", "this address is from a sign-in that is over, or was begun elsewhere"
    )
    assert speaker.page.url == guarded.page.url
    assert guarded.issuer.requests["/token"] == asked_before


def test_listener_signs_in_where_the_page_says_so_and_keeps_the_invitation(guarded, members, visit):
    speaker = visit(guarded)
    sign_in(speaker)
    speaker.page.check("#speak-private")
    speaker.page.fill("#speak-key", "the/key-of-it")
    session_id = speaker.speaks("recording")
    invitation = speaker.page.get_attribute("#speak-invite", "href").removeprefix("#")
    listener = visit(members, invitation)
    listener.sees("#listen-sign-in", "Sign in to listen")
    assert listener.page.is_hidden("#listen-form")
    sign_in(listener, "listen")
    assert listener.page.url == f"{members.page.url}#listen/{session_id}"
    assert [*stored(listener)["tab"]] == ["sign-in.tokens"]
    listener.page.click("#listen-start")
    listener.page.wait_for_selector("#listen-live")

    assert listener.protocols[0].startswith("websocket-audio.v1, bearer.e")


@pytest.mark.parametrize("view", ["listen", "interpret"])
def test_key_comes_back_to_who_gives_up_signing_in_and_is_kept_nowhere(
    guarded, members, visit, monkeypatch, view
):
    form = Answer(200, {"Content-Type": "text/html"}, b"<!doctype html><p>Who are you?</p>")
    monkeypatch.setitem(guarded.issuer.answers, "/authorize", form)
    person = visit(members, f"{view}/golden-eagle-427/abcdefgh2345")
    person.page.click(f"#{view}-sign-in")
    person.page.get_by_text("Who are you?").wait_for()
    person.page.go_back()
    person.page.wait_for_selector("body[data-ready]")

    assert person.page.input_value(f"#{view}-key") == "abcdefgh2345"
    assert "abcdefgh2345" not in str(stored(person))
    b.opens(person.page, "watch")
    person.sees("#notice", "There is nothing to watch here")
    assert person.page.is_visible(f"#{view}")


def test_speaker_is_heard_through_the_whole_system_and_outlives_the_sign_in(
    guarded, visit, monkeypatch
):
    asked_before = guarded.issuer.requests["/token"]
    speaker = visit(guarded)
    sign_in(speaker)
    speaker.page.check("#speak-private")
    speaker.speaks("recording")
    invitation = speaker.page.get_attribute("#speak-invite", "href").removeprefix("#")
    listener = visit(guarded, invitation)
    assert listener.page.is_hidden("#listen-sign-in")
    listener.page.click("#listen-start")
    listener.page.wait_for_selector("#listen-live")
    listener.reaches("#listen-played", 5)
    refused = Answer(400, {"Content-Type": "application/json"}, b'{"error":"invalid_grant"}')
    monkeypatch.setitem(guarded.issuer.answers, "/token", refused)
    passes(speaker, 301)
    guarded.kill_gateway()
    try:
        speaker.sees("#speak-status", "The connection broke.")
    finally:
        guarded.start_gateway()
    speaker.sees("#speak-status", "Connected.")
    listener.sees("#listen-status", "Connected.")
    listener.reaches("#listen-played", listener.number("#listen-played") + 5)

    assert guarded.issuer.requests["/token"] == asked_before + 1
    assert set(speaker.protocols[1:]) == {"websocket-audio.v1"}
    assert set(listener.protocols) == {"websocket-audio.v1"}

    session_id = listener.text("#listen-name")
    b.opens(listener.page, "listen/calm-otter-118/another-key")
    listener.sees("#notice", f"You still listen to {session_id}. To go to calm-otter-118, leave")
    assert listener.page.url == f"{guarded.page.url}#listen/{session_id}"
    speaker.page.click("#speak-end")
    speaker.sees("#speak-status", "You ended the session.")
    assert speaker.page.text_content("#speak-live-key") == ""
    assert speaker.page.get_attribute("#speak-invite", "href") == "#listen"


@pytest.mark.long
def test_token_that_is_for_another_system_opens_no_connection(guarded, visit, monkeypatch):
    monkeypatch.setattr(guarded.issuer, "audience", "another-system")
    speaker = visit(guarded)
    sign_in(speaker)
    speaker.page.check("#source-recording")
    speaker.page.click("#speak-start")

    speaker.sees("#speak-problem", "or refuses your sign-in, or pages of http://127.0.0.1:")
    assert speaker.page.is_hidden("#speak-live")


# --- private sessions, and what an address may say


@pytest.mark.threat("shared-link")
def test_link_of_a_private_session_holds_the_key_and_no_address_shows_it(running, tab):
    speaker = tab("speak")
    speaker.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    speaker.page.check("#speak-private")
    key = speaker.page.input_value("#speak-key")
    session_id = speaker.speaks("recording")
    speaker.page.click("#speak-copy-link")
    link = speaker.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{running.page.url}#listen/{session_id}/{key}"
    assert re.fullmatch("[a-z2-9]{16}", key)

    listener = tab(link.partition("#")[2])
    assert listener.page.url == f"{running.page.url}#listen/{session_id}"
    assert listener.page.input_value("#listen-key") == key
    listener.page.click("#listen-start")
    listener.page.wait_for_selector("#listen-live")
    listener.reaches("#listen-played", 1)
    for person in (speaker, listener):
        assert key not in person.text("body")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="none"),
        pytest.param("/the-wrong-key", id="wrong", marks=pytest.mark.long),
    ],
)
def test_without_its_key_a_private_session_is_not_there(tab, key):
    speaker = tab("speak")
    speaker.page.check("#speak-private")
    session_id = speaker.speaks("recording")
    stranger = tab(f"listen/{session_id}{key}")
    stranger.page.click("#listen-start")

    stranger.sees("#listen-problem", "There is no such session, or the key is wrong.")
    assert stranger.page.is_visible("#listen-form")


@pytest.mark.long
def test_key_is_the_speaker_s_own_and_checked_before_anything_is_sent(guarded, visit):
    speaker = visit(guarded)
    sign_in(speaker)
    assert speaker.page.is_hidden("#speak-key")
    speaker.page.check("#speak-private")
    speaker.page.check("#source-recording")
    for typed, count in ((" " * 8, 0), ("short", 5), ("🦅" * 65, 65)):
        speaker.page.fill("#speak-key", typed)
        speaker.sees("#speak-key-hint", f"this one has {count}.")
        speaker.page.click("#speak-start")
        assert speaker.page.evaluate("document.querySelector('#speak-key').validity.customError")
    assert speaker.protocols == []

    speaker.page.fill("#speak-key", "short" + "." * (SHORT_KEY - 6))
    speaker.sees("#speak-key-hint", f"{SHORT_KEY} characters or more are better.")
    speaker.page.fill("#speak-key", "short-but/more")
    assert speaker.text("#speak-key-hint") == ""
    speaker.page.click("#speak-start")
    speaker.page.wait_for_selector("#speak-live")
    assert speaker.page.get_attribute("#speak-invite", "href").endswith("/short-but%2Fmore")


def warns(socket):
    """Pass everything on, with a warning in the answer that a session was created."""
    server = socket.connect_to_server()

    def take(text):
        message = json.loads(text)
        if message.get("type") == "sessionCreated":
            message["warning"] = "A short key can be guessed."
        socket.send(json.dumps(message))

    server.on_message(take)


def test_speaker_is_warned_when_the_session_begins_and_when_somebody_tries_keys(guarded, visit):
    speaker = visit(guarded)
    speaker.page.route_web_socket(re.compile("^ws:"), warns)
    sign_in(speaker)
    speaker.page.check("#speak-private")
    session_id = speaker.speaks("recording")
    speaker.sees("#speak-warning", "A short key can be guessed.")
    stranger = visit(guarded, f"listen/{session_id}")
    for number in range(4):  # three a minute are let pass
        stranger.page.fill("#listen-key", f"wrong-key-{number}")
        stranger.page.click("#listen-start")
        stranger.sees("#listen-problem", "There is no such session, or the key is wrong.")
        stranger.page.wait_for_selector("#listen-start:enabled")

    speaker.sees("#speak-warning", "Somebody tries keys of this session")


FRAGMENTS = [
    *("listen/%", "listen/%ff", "listen/%00", "listen/golden-eagle-427/%", "%", "%ff", "__proto__"),
    *("listen/__proto__/constructor", "nowhere/else", "listen/🦅/🦅", "/////", "speak/%/%"),
    *(
        "listen/<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        f"listen/{'x' * 100_000}",
    ),
]


@pytest.mark.threat("crafted-link")
def test_no_fragment_breaks_the_page(running, tab):
    page = tab("speak").page
    shown = {}
    for fragment in FRAGMENTS:
        b.opens(page, fragment)
        visible = [one for one in VIEWS if page.is_visible(f"#{one}-title")]
        shown[fragment[:40]] = visible[0]

    listening = {fragment[:40]: "listen" for fragment in FRAGMENTS if fragment.startswith("listen")}
    assert shown == {fragment[:40]: "speak" for fragment in FRAGMENTS} | listening
    assert page.locator("main img, main script").count() == 0


def test_key_of_a_damaged_link_leaves_the_address_too(running, tab):
    listener = tab("listen/golden-eagle-427/abcdefgh2345%")
    listener.sees("#notice", "This link is damaged")
    assert listener.page.url == f"{running.page.url}#listen/golden-eagle-427"

    b.opens(listener.page, "speak/golden-eagle-427/abcdefgh2345")
    assert listener.page.url == f"{running.page.url}#speak"
    listener.page.click('nav a[href="#listen"]')
    listener.page.wait_for_selector("#notice", state="hidden")


@pytest.mark.long
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        pytest.param({"status": 404}, "config.json cannot be read (404)", id="none"),
        pytest.param({"json": {"issuer": "x"}}, "config.json has no url", id="incomplete"),
    ],
)
def test_page_without_its_settings_says_so(chromium, running, answer, sentence):
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/config.json", lambda route: route.fulfill(**answer))
    page.goto(f"{running.page.url}#watch")

    page.locator("#notice").filter(has_text=sentence).wait_for()
    page.locator("#notice").filter(has_text="Tell whoever runs the page").wait_for()
    context.close()


# --- for everyone


def test_keyboard_is_enough(tab):
    speaker = tab("speak")
    press = speaker.page.keyboard.press
    focused = "document.activeElement.id"
    for wanted in ("speak-language", "source-microphone"):
        while speaker.page.evaluate(focused) != wanted:
            press("Tab")
    press("ArrowDown")
    assert speaker.page.is_checked("#source-recording")
    while speaker.page.evaluate(focused) != "speak-start":
        press("Tab")
    press("Enter")
    speaker.page.wait_for_selector("#speak-live")
    assert speaker.page.evaluate(focused) == "speak-session"

    while speaker.page.evaluate(focused) != "speak-pause":
        press("Tab")
    press("Space")
    speaker.page.wait_for_selector('#speak-pause[aria-pressed="true"]')
    while speaker.page.evaluate(focused) != "speak-end":
        press("Tab")
    press("Enter")
    speaker.sees("#speak-status", "You spoke for")
    assert speaker.page.evaluate(focused) == "speak-start"


def test_nothing_keeps_anyone_out(tab):
    """Every view, before and during a session; the colours, which alone depend on it, in both schemes."""
    speaker, listener = tab("speak", color_scheme="light"), tab("listen", color_scheme="light")
    found = [b.violations(speaker.page), b.violations(listener.page, "#listen")]
    listener.listens(speaker.speaks("recording"))
    speaker.page.click("#speak-pause")
    listener.sees("#listen-broadcast", "The speaker paused.")
    places = [(speaker.page, "#speak"), (listener.page, "#listen")]
    found += [b.violations(page, place) for page, place in places]
    for page in (speaker.page, listener.page):
        page.emulate_media(color_scheme="dark")
    background = "getComputedStyle(document.body.parentElement).backgroundColor"
    assert speaker.page.evaluate(background) == "rgb(20, 23, 26)"
    found += [b.violations(page, place, "color-contrast") for page, place in places]

    assert found == [[]] * 6


@pytest.mark.long
def test_signing_in_and_private_sessions_keep_nobody_out(guarded, members, visit):
    speaker, listener = visit(guarded), visit(members, "listen")
    speaker.page.route_web_socket(re.compile("^ws:"), warns)
    found = [b.violations(speaker.page), b.violations(listener.page)]
    sign_in(speaker)
    speaker.page.check("#speak-private")
    found += [b.violations(speaker.page)]
    speaker.speaks("recording")
    speaker.page.click("#speak-join summary")
    speaker.sees("#speak-warning", "A short key can be guessed.")
    found += [b.violations(speaker.page)]
    for page in (speaker.page, listener.page):
        page.emulate_media(color_scheme="dark")
        found += [b.violations(page, "html", "color-contrast")]

    assert found == [[]] * 6


@pytest.mark.parametrize("view", VIEWS)
def test_page_fits_a_phone(tab, view):
    phone = tab(view, viewport={"width": 320, "height": 740}, has_touch=True, is_mobile=True)

    assert [one for one in VIEWS if phone.page.is_visible(f"#{one}")] == [view]
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 320
