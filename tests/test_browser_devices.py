"""Before and beside a session, in a real browser: devices, the check of the microphone, the link and its QR code, keys."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

import node
from local.page import Page
from tests import browser as b

# Chromium's own, with `--use-fake-device-for-media-stream`.
MICROPHONES = ["Default microphone", "Fake Audio Input 1", "Fake Audio Input 2"]
HOST = "https://page.example/"
OUTPUTS = ["Default output", "Fake Audio Output 1", "Fake Audio Output 2"]
# Keeps what is asked of the microphones, what they give, the contexts that play, and their volumes.
TRACE = """
  window.asked = [];
  window.tracks = [];
  window.contexts = [];
  window.gains = [];
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    window.asked.push(wanted.audio);
    if (window.failure) throw new DOMException("", window.failure);
    const stream = await ask(wanted);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
  const Context = AudioContext;
  window.AudioContext = class extends Context {
    constructor(...options) {
      super(...options);
      window.contexts.push(this);
    }
    createGain() {
      const gain = super.createGain();
      window.gains.push(gain);
      return gain;
    }
  };
"""
STATES = "window.tracks.map(({ readyState }) => readyState)"
# As a browser that has not allowed the microphone yet; this one allows it to all.
NAMELESS = """
  const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
  navigator.mediaDevices.enumerateDevices = async () => {
    const listed = await list();
    if (window.tracks?.length > 0) return listed;
    return ["audioinput", "audiooutput"].map((kind) => ({ kind, deviceId: "", label: "" }));
  };
"""
IS_GIVEN_BACK = """() => window.contexts[0].state === "closed"
    && window.tracks.length > 0 && window.tracks.every((track) => track.readyState === "ended")"""


@pytest.fixture
def person(chromium, running):
    """Return what opens a tab of its own, whose use of sound is kept."""
    opened = []

    def person(view="speak", script="", **options):
        context = chromium.new_context(permissions=["microphone"], **options)
        context.add_init_script(TRACE + script)
        opened.append(b.Tab(context, f"{running.page.url}#{view}"))
        return opened[-1]

    yield person
    for tab in opened:
        assert tab.errors == []
        tab.page.context.close()


def options(tab, selector):
    return tab.page.locator(f"{selector} option").all_inner_texts()


def offers(tab, selector, names):
    tab.page.wait_for_function(
        "([selector, count]) => document.querySelector(selector).length === count",
        arg=[selector, len(names)],
    )
    assert options(tab, selector) == names


def unplug(tab, label):
    """Take a device away, as far as the page can see."""
    tab.page.evaluate(
        """(label) => {
          const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
          navigator.mediaDevices.enumerateDevices = async () => (await list()).filter((one) => one.label !== label);
          navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
        }""",
        label,
    )


# --- the check of the microphone


def test_check_asks_names_the_microphones_and_shows_the_level_in_a_word(person):
    speaker = person(script=NAMELESS)
    assert options(speaker, "#speak-device") == MICROPHONES[:1]
    assert speaker.page.evaluate("window.asked.length") == 0
    speaker.page.click("#speak-check")
    speaker.sees("#speak-check-word", "Good")
    offers(speaker, "#speak-device", MICROPHONES)

    assert speaker.page.get_attribute("#speak-check-meter", "aria-valuetext") == "Good"
    assert not speaker.page.is_checked("#speak-hear")
    speaker.page.click("#speak-check")
    speaker.page.wait_for_function(IS_GIVEN_BACK)
    assert speaker.page.is_hidden("#speak-check-part")
    assert speaker.text("#speak-check") == "Check your microphone"


@pytest.mark.long
def test_microphone_without_sound_is_named_so(person):
    """A recording of zeros would need a browser of its own: a track that is switched off gives the same."""
    interpreter = person("interpret")
    interpreter.page.click("#interpret-check")
    interpreter.sees("#interpret-check-word", "Good")
    interpreter.page.evaluate("window.tracks.forEach((track) => { track.enabled = false; })")

    interpreter.sees("#interpret-check-word", "No sound")
    interpreter.sees("#interpret-check-advice", "see whether the microphone is switched off")


@pytest.mark.long
def test_person_hears_the_microphone_on_request(person):
    speaker = person()
    speaker.page.click("#speak-check")
    speaker.sees("#speak-check-word", "Good")
    volume = "window.gains[0].gain.value"
    assert speaker.page.evaluate(volume) == 0

    speaker.page.check("#speak-hear")
    speaker.page.wait_for_function(f"() => {volume} === 1")
    speaker.page.uncheck("#speak-hear")
    speaker.page.wait_for_function(f"() => {volume} === 0")


@pytest.mark.long
def test_another_microphone_is_checked_as_soon_as_it_is_chosen(person):
    speaker = person()
    speaker.page.click("#speak-check")
    speaker.sees("#speak-check-word", "Good")
    speaker.page.select_option("#speak-device", label="Fake Audio Input 2")
    speaker.page.wait_for_function("() => window.tracks.length === 2")

    assert speaker.page.evaluate(STATES) == ["ended", "live"]
    assert speaker.page.evaluate("window.tracks[1].label") == "Fake Audio Input 2"


def test_check_ends_when_the_session_begins(person):
    speaker = person()
    speaker.page.click("#speak-check")
    speaker.sees("#speak-check-word", "Good")
    speaker.speaks("microphone")

    assert speaker.page.evaluate("window.contexts[0].state") == "closed"
    ended = [state == "ended" for state in speaker.page.evaluate(STATES)]
    assert ended[-1] is False
    assert all(ended[:-1])


@pytest.mark.long
@pytest.mark.parametrize(
    "leaves",
    [
        pytest.param('nav a[href="#listen"]', id="view"),
        pytest.param("#source-recording", id="sound"),
    ],
)
def test_check_ends_when_it_is_not_shown_any_more(person, leaves):
    speaker = person()
    speaker.page.click("#speak-check")
    speaker.sees("#speak-check-word", "Good")
    speaker.page.click(leaves)

    speaker.page.wait_for_function(IS_GIVEN_BACK)


def test_microphone_that_is_taken_away_ends_the_check_with_a_sentence(person):
    speaker = person()
    speaker.page.click("#speak-check")
    speaker.sees("#speak-check-word", "Good")
    speaker.page.evaluate("window.tracks[0].dispatchEvent(new Event('ended'))")

    speaker.sees("#speak-check-problem", "The microphone is not connected any more")
    speaker.page.wait_for_function(IS_GIVEN_BACK)


def test_each_failure_of_the_check_has_its_own_sentence(person):
    speaker = person()
    said = set()
    for failure in ("NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError"):
        speaker.page.evaluate("(failure) => { window.failure = failure; }", failure)
        speaker.page.click("#speak-check")
        speaker.page.wait_for_selector("#speak-check-problem:visible")
        said.add(speaker.text("#speak-check-problem"))
        assert speaker.text("#speak-check") == "Check your microphone"

    assert len(said) == 4


# --- the choice


def test_choice_is_kept_for_the_tab_and_falls_back_when_the_device_is_gone(person):
    speaker = person()
    offers(speaker, "#speak-device", MICROPHONES)
    speaker.page.select_option("#speak-device", label="Fake Audio Input 2")
    speaker.page.reload()
    speaker.page.wait_for_selector("body[data-ready]")
    offers(speaker, "#speak-device", MICROPHONES)
    chosen = "document.querySelector('#speak-device').selectedOptions[0].text"
    assert speaker.page.evaluate(chosen) == "Fake Audio Input 2"
    assert speaker.page.evaluate(chosen.replace("speak", "interpret")) == "Fake Audio Input 2"

    unplug(speaker, "Fake Audio Input 2")
    speaker.sees("#speak-device-note", "“Fake Audio Input 2” is not available now.")
    assert options(speaker, "#speak-device") == MICROPHONES[:2]
    assert speaker.page.input_value("#speak-device") == ""


def test_session_takes_the_chosen_microphone_or_the_default_when_that_is_gone(person):
    speaker = person()
    offers(speaker, "#speak-device", MICROPHONES)
    speaker.page.select_option("#speak-device", label="Fake Audio Input 1")
    speaker.speaks("microphone")
    assert speaker.page.evaluate("window.tracks[0].label") == "Fake Audio Input 1"

    unplug(speaker, "Fake Audio Input 1")
    speaker.page.evaluate("window.tracks[0].stop()")
    speaker.page.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
    speaker.page.wait_for_function("() => window.tracks.length === 2")
    assert speaker.page.evaluate("window.tracks[1].label") == "Fake Default Audio Input"


@pytest.mark.parametrize("view", ["listen", "interpret"])
def test_output_is_offered_where_the_browser_can(person, view):
    offers(person(view), f"#{view}-output", OUTPUTS)
    assert person(view).page.is_visible(f"#{view}-output")


@pytest.mark.long
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            "for (const one of [Context, HTMLMediaElement]) delete one.prototype.setSinkId;",
            id="cannot",
        ),
        pytest.param(NAMELESS, id="names-none"),
    ],
)
def test_output_is_not_offered_where_the_browser_cannot(person, script):
    listener = person("listen", script)
    listener.page.evaluate("navigator.mediaDevices.enumerateDevices()")  # as the page did before

    assert listener.page.is_hidden("#listen-output")


@pytest.mark.long
def test_browser_s_own_list_of_outputs_is_offered_where_it_has_one(person):
    """As in Firefox, which names an output only once it was chosen there."""
    chooses = """
      navigator.mediaDevices.selectAudioOutput = async () =>
        (await list()).find(({ label }) => label === "Fake Audio Output 1");
    """
    listener = person("listen", NAMELESS + chooses)
    listener.page.click("#listen-output-ask")

    offers(listener, "#listen-output", OUTPUTS[:2])
    chosen = "document.querySelector('#listen-output').selectedOptions[0].text"
    assert listener.page.evaluate(chosen) == "Fake Audio Output 1"


# --- the link


@pytest.fixture
def hosted(chromium, running):
    """Return a tab on the page as a host of one's own would serve it.

    What it shows of a session is made by hand: no session reaches this machine from there.
    """
    page = Page({"url": running.system.url}, operator=False)
    page.start()
    context = chromium.new_context()

    def serve(route):
        path = urlsplit(route.request.url).path.removeprefix("/")
        route.fulfill(response=context.request.get(page.url + path))

    context.route(f"{HOST}**", serve)
    yield b.Tab(context, HOST)
    context.close()
    page.close()


@pytest.mark.threat("shared-link")
def test_qr_code_of_a_private_session_is_shown_on_request_and_holds_the_link(hosted, tmp_path):
    page, key = hosted.page, "abcdefgh2345mnpq"
    page.evaluate(
        """async (key) => {
          const [{ Share }, { Controls }] = await Promise.all(["share", "session"].map((name) => import(`/views/${name}.js`)));
          window.share = new Share("golden-eagle-427", key, new Controls("speak"));
          document.querySelector("#speak-live").hidden = false;
        }""",
        key,
    )
    assert key not in page.inner_text("body")
    assert page.locator("#speak-qr img").count() == 0
    page.click("#speak-join summary")
    page.wait_for_selector("#speak-qr img")
    page.emulate_media(color_scheme="dark")

    link = f"{HOST}#listen/golden-eagle-427/{key}"
    assert page.inner_text("#speak-link") == link
    assert decoded(page, tmp_path) == link
    assert b.violations(page, "#speak") == []
    page.evaluate("window.share.close()")
    assert key not in page.content()


def decoded(page, folder):
    """Return what a reader makes of the picture of the QR code."""
    picture = page.locator("#speak-qr img").screenshot()
    pixels = page.evaluate(
        """async (bytes) => {
          const picture = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
          const { width, height } = picture;
          const canvas = new OffscreenCanvas(width, height).getContext("2d");
          canvas.drawImage(picture, 0, 0);
          return { width, height, data: [...canvas.getImageData(0, 0, width, height).data] };
        }""",
        list(picture),
    )
    (folder / "pixels.json").write_text(json.dumps(pixels))
    return node.run("tests/read-qr.mjs", folder / "pixels.json").stdout


@pytest.mark.long
def test_on_this_machine_s_own_address_a_sentence_stands_in_for_the_qr_code(person):
    speaker = person()
    session_id = speaker.speaks("recording")

    speaker.sees("#speak-local", "Only this machine can open the link")
    assert speaker.text("#speak-link").endswith(f"#listen/{session_id}")
    assert speaker.page.locator("#speak-qr img").count() == 0


@pytest.mark.long
def test_who_may_not_copy_learns_another_way(speaker):
    """Without leave, or on a page without TLS."""
    speaker.page.evaluate(
        "() => { navigator.clipboard.writeText = async () => { throw new Error(); }; }"
    )
    speaker.page.click("#speak-copy-link")
    speaker.sees("#speak-problem", "Use the link beside the button")

    speaker.page.evaluate("() => { delete navigator.clipboard.writeText; }")
    speaker.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    speaker.page.click("#speak-copy-link")
    speaker.sees("#speak-copied", "Copied.")


# --- the keyboard


def pressed(tab, button):
    return tab.page.get_attribute(button, "aria-pressed")


def becomes(tab, button, state):
    tab.page.wait_for_selector(f'{button}[aria-pressed="{state}"]')


def test_keys_press_the_buttons(speaker):
    speaker.page.focus("#speak-session")
    for key, button in (("m", "#speak-mute"), ("Space", "#speak-pause")):
        for state in ("true", "false"):
            speaker.page.keyboard.press(key)
            becomes(speaker, button, state)


def test_space_bar_is_a_focused_button_s(speaker):
    speaker.page.focus("#speak-mute")
    speaker.page.keyboard.press("Space")
    becomes(speaker, "#speak-mute", "true")
    assert pressed(speaker, "#speak-pause") == "false"

    speaker.page.keyboard.press("Space")
    becomes(speaker, "#speak-mute", "false")


@pytest.mark.long
def test_listener_hears_on_the_chosen_output_and_pauses_with_the_space_bar(speaker, person):
    listener = person("listen")
    offers(listener, "#listen-output", OUTPUTS)
    listener.page.select_option("#listen-output", label="Fake Audio Output 2")
    listener.listens(speaker.text("#speak-session"))
    listener.page.wait_for_function("() => window.contexts[0].sinkId !== ''")
    chosen = listener.page.input_value("#listen-output")
    assert listener.page.evaluate("window.contexts[0].sinkId") == chosen

    listener.page.keyboard.press("Space")
    listener.page.wait_for_selector('#listen-pause[aria-pressed="true"]')


def test_sheet_lists_the_keys_of_the_view_and_gives_the_focus_back(speaker):
    page = speaker.page
    focused = "document.activeElement.id"
    page.focus("#speak-end")
    page.keyboard.press("?")
    page.wait_for_selector("#keyboard:visible")
    page.keyboard.press("m")  # the sheet is in front of the session
    assert page.locator("#keyboard kbd:visible").all_inner_texts() == ["M", "Space", "?", "Esc"]
    assert b.violations(page, "#keyboard") == []
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "speak-end"
    assert pressed(speaker, "#speak-mute") == "false"

    page.click("#keyboard-open")
    page.click("#keyboard-close")
    assert page.evaluate(focused) == "keyboard-open"


@pytest.mark.long
def test_keys_can_be_switched_off_for_good(person):
    listener = person("listen")
    listener.page.keyboard.press("?")
    listener.page.uncheck("#keyboard-on")
    listener.page.reload()
    listener.page.wait_for_selector("body[data-ready]")
    listener.page.keyboard.press("?")
    assert listener.page.is_hidden("#keyboard")

    listener.page.click("#keyboard-open")
    listener.page.check("#keyboard-on")
    assert listener.page.evaluate("localStorage.length") == 0


# --- for everyone


def test_check_and_sheet_fit_a_phone(person):
    phone = person(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    phone.page.click("#speak-check")
    phone.sees("#speak-check-word", "Good")
    found = [b.violations(phone.page)]
    phone.page.emulate_media(color_scheme="dark")
    found += [b.violations(phone.page, "html", "color-contrast")]
    assert phone.page.is_hidden("#keyboard-open")  # without keys
    phone.page.click("h2")
    phone.page.keyboard.press("?")  # with some after all
    found += [b.violations(phone.page, "#keyboard", "color-contrast")]

    assert found == [[], [], []]
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 320
    sheet = "document.querySelector('#keyboard')"
    assert phone.page.evaluate(f"{sheet}.scrollWidth <= {sheet}.clientWidth")
