"""Interpreters, channels and captions in a real browser, against the whole system."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import wave
from array import array

import pytest

from local.client import connect, stream
from tests import browser as b

CHUNK_SECONDS = 0.1
SPEAKER_ONLY = "You hear the speaker: nobody interprets into German now."


@pytest.fixture
def program(running):
    """Return what makes an interpreter that is a program."""
    programs = []

    def join(link, language):
        programs.append(Program(running, link, language))
        return programs[-1]

    yield join
    for one in programs:
        one.leave()


class Program:
    """Interprets into a language of the session that a link names, each of its chunks unlike all others."""

    def __init__(self, running, link, language):
        self._loop = running.loop
        self._stack = contextlib.AsyncExitStack()
        _, session_id, key = link.split("/")
        self.chunks = [
            array("h", [sum(language.encode()) * 50 + number] * 1600).tobytes()
            for number in range(300)
        ]

        async def join():
            self._client = await self._stack.enter_async_context(connect(running.system.url))
            await self._client.request(
                "joinAsInterpreter", sessionId=session_id, language=language, interpreterKey=key
            )

        self._loop.run(join())

    def speaks(self):
        """Send audio from now on, until it leaves."""

        async def start():
            task = asyncio.create_task(stream(self._client, self.chunks, CHUNK_SECONDS))
            self._stack.callback(task.cancel)

        self._loop.run(start())

    def writes(self, segment, text, *, is_final=True):
        caption = {"segmentId": segment, "text": text, "isFinal": is_final}
        self._loop.run(self._client.send("sendCaption", **caption))

    def leave(self):
        self._loop.run(self._stack.aclose())


def link_for_interpreters(speaker):
    """Return the fragment of the speaker's link, which holds the key."""
    return speaker.page.get_attribute("#speak-interpreters-invite", "href").removeprefix("#")


def interprets(tab, language="de", source="recording"):
    """Send the form of an interpreter's page that was opened by the link."""
    tab.page.select_option("#interpret-language", language)
    tab.page.check(f"#interpret-{source}")
    tab.page.click("#interpret-start")
    return tab


def is_interpreting(tab):
    tab.page.wait_for_selector("#interpret-live")
    return tab


def voices(listener, folder, **sent):
    """Return whose chunks a listener has heard, one name for each stretch; silence is nobody's."""
    with listener.page.expect_download() as download:
        listener.page.click("#listen-save")
    download.value.save_as(folder / "heard.wav")
    with wave.open(str(folder / "heard.wav")) as file:
        heard = file.readframes(file.getnframes())
    owners = {chunk: name for name, chunks in sent.items() for chunk in chunks}
    chunks = [heard[start : start + 3200] for start in range(0, len(heard), 3200)]
    names = [owners.get(chunk, "nobody") for chunk in chunks if any(chunk)]
    return [name for name, _ in itertools.groupby(names)]


@pytest.mark.long
def test_listeners_hear_their_interpreter_while_there_is_one_and_else_the_speaker(tab, tmp_path):
    speaker = tab("speak")
    session_id = speaker.speaks()
    early = tab("listen").listens(session_id)
    early.sees("#listen-hears", SPEAKER_ONLY)
    early.reaches("#listen-played", 3)
    interpreter = is_interpreting(interprets(tab(link_for_interpreters(speaker))))
    interpreter.sees("#interpret-task", "You interpret into German")
    speaker.sees("#speak-interpreters", "German")
    early.sees("#listen-hears", "You hear the German interpreter.")
    early.sees("#listen-channels", "There are interpreters for: German.")
    late = tab("listen").listens(session_id)
    late.sees("#listen-hears", "You hear the German interpreter.")
    late.reaches("#listen-played", 5)
    early.reaches("#listen-played", early.number("#listen-played") + 10)
    interpreter.reaches("#interpret-played", 5)
    assert voices(late, tmp_path, interpreter=interpreter.sent.values()) == ["interpreter"]

    interpreter.page.click("#interpret-leave")
    interpreter.sees("#interpret-status", "You left.")
    early.sees("#listen-hears", SPEAKER_ONLY)
    early.reaches("#listen-played", early.number("#listen-played") + 5)
    speaker.page.wait_for_selector("#speak-interpreters-none")

    sent = {"speaker": speaker.sent.values(), "interpreter": interpreter.sent.values()}
    assert voices(early, tmp_path, **sent) == ["speaker", "interpreter", "speaker"]


@pytest.mark.long
def test_interpreter_is_silent_while_muted_or_the_speaker_paused_and_comes_back_after_a_break(
    running, tab
):
    speaker = tab("speak")
    session_id = speaker.speaks("recording")
    interpreter = is_interpreting(interprets(tab(link_for_interpreters(speaker))))
    speaker.page.click("#speak-pause")
    interpreter.sees("#interpret-broadcast", "The speaker paused.")
    sent = len(interpreter.sent)
    interpreter.page.click("#interpret-mute")
    speaker.page.click("#speak-pause")
    interpreter.sees("#interpret-broadcast", "You are muted: nobody hears you.")
    interpreter.reaches("#interpret-played", interpreter.number("#interpret-played") + 3)
    assert len(interpreter.sent) == sent
    interpreter.page.click("#interpret-mute")
    listener = tab("listen").listens(session_id)
    listener.reaches("#listen-played", 1)

    running.kill_gateway()
    try:
        for one, view in ((interpreter, "interpret"), (listener, "listen"), (speaker, "speak")):
            one.sees(f"#{view}-status", "The connection broke.")
        interpreter.sees("#interpret-broadcast", "Nobody hears you: the connection broke.")
        listener.sees("#listen-broadcast", "You hear nothing: the connection broke.")
    finally:
        running.start_gateway()
    for one, view in ((interpreter, "interpret"), (listener, "listen"), (speaker, "speak")):
        one.sees(f"#{view}-status", "Connected.")
    speaker.sees("#speak-interpreters", "German")
    interpreter.sees("#interpret-broadcast", "Live: listeners of your language hear you.")
    listener.reaches("#listen-played", listener.number("#listen-played") + 5)
    listener.sees("#listen-hears", "You hear the German interpreter.")


@pytest.mark.long
def test_listener_changes_language_and_voice_while_interpreters_speak(tab, program, tmp_path):
    speaker = tab("speak")
    session_id = speaker.speaks()
    link = link_for_interpreters(speaker)
    programs = {language: program(link, language) for language in ("de", "fr")}
    for one in programs.values():
        one.speaks()
    listener = tab("listen").listens(session_id)
    for change, choice, sentence in (
        ("language", "fr", "You hear the French interpreter."),
        ("audio", "original", "own voice, as you chose."),
    ):
        listener.reaches("#listen-played", listener.number("#listen-played") + 3)
        field = "#listen-change" if change == "language" else "#listen-change-audio"
        listener.page.select_option(field, choice)
        listener.sees("#listen-hears", sentence)
    listener.reaches("#listen-played", listener.number("#listen-played") + 3)

    sent = {language: one.chunks for language, one in programs.items()}
    heard = voices(listener, tmp_path, speaker=speaker.sent.values(), **sent)
    assert heard == ["de", "fr", "speaker"]


def test_captions_are_text_in_the_listener_s_language_and_the_last_word_stays(tab, program):
    speaker = tab("speak")
    session_id = speaker.speaks("recording")
    interpreter = program(link_for_interpreters(speaker), "de")
    listener = tab("listen")
    listener.page.check("#listen-captions")
    listener.listens(session_id)
    interpreter.writes("1", "Guten", is_final=False)
    listener.sees("#listen-partials", "Guten")
    interpreter.writes("1", "<img src=x onerror=alert(1)> Guten Tag.")
    listener.sees("#listen-finals", "<img src=x onerror=alert(1)> Guten Tag.")
    assert listener.page.locator("#listen-partials li, #listen img").count() == 0
    assert listener.page.get_attribute("#listen-finals", "aria-live") == "polite"
    assert listener.page.get_attribute("#listen-finals [lang]", "lang") == "de"
    speaker.sees("#speak-finals", "German <img src=x onerror=alert(1)> Guten Tag.")

    listener.page.select_option("#listen-change", "fr")
    listener.sees("#listen-hears", "nobody interprets into French")
    assert listener.text("#listen-channels") == "There are interpreters for: German."
    assert listener.page.locator("#listen-captions-box li").count() == 0
    interpreter.writes("2", "Nur auf Deutsch.")
    speaker.sees("#speak-finals", "Nur auf Deutsch.")
    listener.page.select_option("#listen-change", "de")
    listener.sees("#listen-hears", "You hear the German interpreter.")
    interpreter.writes("3", "Wieder da.")
    listener.sees("#listen-finals", "Wieder da.")
    assert "Nur auf Deutsch." not in listener.text("#listen-finals")
    interpreter.writes("4", "Und wie", is_final=False)
    listener.sees("#listen-partials", "Und wie")
    interpreter.leave()
    listener.sees("#listen-hears", SPEAKER_ONLY)
    assert listener.page.locator("#listen-partials li").count() == 0
    listener.page.uncheck("#listen-change-captions")
    listener.page.wait_for_selector("#listen-captions-part", state="hidden")


def test_interpreter_who_is_removed_needs_the_new_link(running, tab):
    speaker = tab("speak")
    session_id = speaker.speaks("recording")
    old_link = link_for_interpreters(speaker)
    interpreter = is_interpreting(interprets(tab(old_link)))
    assert interpreter.page.url == f"{running.page.url}#interpret/{session_id}"
    speaker.page.get_by_role("button", name="Remove the interpreter: German").click()
    speaker.sees("#speak-interpreters-status", "The link for interpreters is another one now")
    interpreter.sees("#interpret-problem", "The speaker ended your channel")
    assert interpreter.page.is_visible("#interpret-form")

    interprets(interpreter)
    interpreter.sees("#interpret-problem", "There is no such session, or the key is wrong.")
    new_link = link_for_interpreters(speaker)
    speaker.page.context.grant_permissions(["microphone", "clipboard-write"])
    speaker.page.click("#speak-interpreters-copy")
    speaker.sees("#speak-interpreters-copied", "Copied.")
    assert new_link.rpartition("/")[0] == old_link.rpartition("/")[0]
    b.opens(interpreter.page, new_link)
    is_interpreting(interprets(interpreter))
    speaker.sees("#speak-interpreters", "German")
    assert speaker.text("#speak-interpreters-status") == ""
    keys = [link.rpartition("/")[2] for link in (old_link, new_link)]
    shown = "".join(one.text("body") + one.page.title() for one in (speaker, interpreter))
    assert [key for key in keys if key in shown + interpreter.page.url] == []
    speaker.page.click("#speak-end")
    interpreter.sees("#interpret-status", "The speaker ended the session.")
    speaker.sees("#speak-status", "You ended the session.")
    assert link_for_interpreters(speaker) == "interpret"


@pytest.mark.long
def test_language_that_is_taken_is_said_and_the_speaker_s_own_is_for_captions(tab, program):
    speaker = tab("speak")
    session_id = speaker.speaks("recording")
    link = link_for_interpreters(speaker)
    program(link, "de").speaks()
    interpreter = interprets(tab(link))
    interpreter.sees("#interpret-problem", "Somebody else interprets into German now.")
    interprets(interpreter, "fr", "none")
    interpreter.sees("#interpret-problem", "Who asked for French would hear nothing")

    is_interpreting(interprets(interpreter, "en", "none"))
    interpreter.sees("#interpret-task", "You write captions of what the speaker says, in English.")
    assert interpreter.page.is_hidden("#interpret-meter")
    reader = tab("listen")
    reader.page.check("#listen-captions")
    reader.listens(session_id, "es")
    interpreter.page.fill("#interpret-line", "Good mor")
    reader.sees("#listen-partials", "Good mor")
    interpreter.page.fill("#interpret-line", "Good morning.")
    interpreter.page.press("#interpret-line", "Enter")
    reader.sees("#listen-finals", "Good morning.")
    assert reader.page.get_attribute("#listen-finals [lang]", "lang") == "en"
    assert interpreter.page.input_value("#interpret-line") == ""
    assert interpreter.sent == {}


@pytest.mark.long
def test_line_that_is_erased_is_taken_back_and_an_arabic_one_runs_from_right_to_left(tab):
    speaker = tab("speak")
    session_id = speaker.speaks("recording")
    interpreter = is_interpreting(interprets(tab(link_for_interpreters(speaker)), "ar"))
    reader = tab("listen")
    reader.page.check("#listen-captions")
    reader.listens(session_id, "ar")
    # Elsewhere these are keys of buttons.
    interpreter.page.locator("#interpret-line").press_sequentially("m ?")
    assert interpreter.page.input_value("#interpret-line") == "m ?"
    assert interpreter.page.is_hidden("#keyboard")
    assert interpreter.page.get_attribute("#interpret-mute", "aria-pressed") == "false"
    interpreter.page.fill("#interpret-line", "مرحبا")
    reader.sees("#listen-partials", "مرحبا")
    interpreter.page.fill("#interpret-line", "")
    for view, one in (("listen", reader), ("speak", speaker)):
        one.page.locator(f"#{view}-partials li").wait_for(state="detached")
    interpreter.page.fill("#interpret-line", "مرحبا بكم.")
    interpreter.page.press("#interpret-line", "Enter")
    reader.sees("#listen-finals", "مرحبا بكم.")
    speaker.sees("#speak-finals", "Arabic مرحبا بكم.")

    assert interpreter.page.get_attribute("#interpret-line", "lang") == "ar"
    direction = "one => getComputedStyle(one).direction"
    shown = ((reader, "#listen-finals li"), (speaker, "#speak-finals li"))
    assert [one.page.eval_on_selector(place, direction) for one, place in shown] == ["rtl"] * 2


def refuse_captions(page):
    """Answer each caption of a page that is loaded from now on with an error."""

    def join(socket):
        server = socket.connect_to_server()

        def take(text):
            message = json.loads(text)
            if message["action"] != "sendCaption":
                return server.send(text)
            error = {"code": "AUTH_UNAUTHORIZED", "message": "Refused", "retryable": False}
            echo = {name: message[name] for name in ("requestId",) if name in message}
            return socket.send(json.dumps({"type": "error", "timestamp": 1, **error, **echo}))

        socket.on_message(take)

    page.route_web_socket("**", join)
    page.reload()
    page.wait_for_selector("body[data-ready]")


@pytest.mark.long
def test_caption_that_is_refused_is_marked_and_an_error_goes_with_what_works_next(tab):
    speaker = tab("speak")
    speaker.speaks("recording")
    interpreter = tab("interpret")
    refuse_captions(interpreter.page)
    b.opens(interpreter.page, link_for_interpreters(speaker))
    is_interpreting(interprets(interpreter))
    interpreter.page.fill("#interpret-line", "Guten")
    interpreter.sees("#interpret-problem", "Refused.")
    interpreter.page.click("#interpret-mute")
    interpreter.page.wait_for_selector("#interpret-problem", state="hidden")
    interpreter.page.fill("#interpret-line", "Guten Tag.")
    interpreter.page.press("#interpret-line", "Enter")
    interpreter.sees("#interpret-finals", "German Guten Tag. Not sent.")
    assert "AUTH_UNAUTHORIZED" not in interpreter.text("#interpret")


def test_channels_and_captions_keep_nobody_out(tab, program):
    """Each view with all that interpreters bring, in both schemes, and on a phone."""
    phone = {"viewport": {"width": 320, "height": 740}, "color_scheme": "light"}
    speaker = tab("speak", **phone)
    session_id = speaker.speaks("recording")
    link = link_for_interpreters(speaker)
    interpreter = tab(link, **phone)
    found = [b.violations(interpreter.page)]
    is_interpreting(interprets(interpreter))
    program(link, "en").writes("1", "Good morning.", is_final=False)
    listener = tab("listen", **phone)
    listener.page.click("#listen-more summary")
    listener.page.check("#listen-captions")
    listener.listens(session_id)
    interpreter.page.fill("#interpret-line", "Guten Morgen.")
    interpreter.page.press("#interpret-line", "Enter")
    listener.sees("#listen-finals", "Guten Morgen.")
    speaker.sees("#speak-finals", "Guten Morgen.")
    people = (speaker, listener, interpreter)
    found += [b.violations(one.page) for one in people]
    for one in people:
        one.page.emulate_media(color_scheme="dark")
    found += [b.violations(one.page, "html", "color-contrast") for one in people]

    assert found == [[]] * 7
    width = "document.documentElement.scrollWidth"
    assert [one.page.evaluate(width) for one in people] == [320] * 3
