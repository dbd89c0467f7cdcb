"""The operator's view in a real browser: rows, filters in the address, metrics, errors and sessions."""

from __future__ import annotations

import json
import uuid

import pytest

from tests import browser as b

LOG = "#log > li"


@pytest.fixture
def operator(tab):
    """Return the operator's tab."""
    return tab("watch")


@pytest.fixture
def publish(running):
    """Return a function that writes a line of an invocation, and returns the invocation's id."""

    def publish(message, invocation=None, **fields):
        invocation = invocation or str(uuid.uuid4())
        line = {"level": "INFO", "component": "QuizHandler", "message": message, **fields}
        running.page.publish("quiz", json.dumps({**line, "requestId": invocation}))
        return invocation

    return publish


def handled(publish, action, **fields):
    return publish("Message handled", operation=action, durationMs=12.34, **fields)


@pytest.fixture(scope="module")
def broadcast(chromium, running):
    """Return a session with a listener, who hears it."""
    tabs = b.Tabs(chromium, running.page.url)
    speaker = tabs("speak")
    session_id = speaker.speaks("recording")
    tabs("listen").listens(session_id).reaches("#listen-played", 5)
    yield speaker, session_id
    tabs.close()


# --- rows


def test_row_says_what_was_done_to_which_session_and_what_came_of_it(operator, publish):
    ids = {"sessionId": "calm-otter-118", "connectionId": "JFXaf8sksoyqyYU="}
    refused = {"level": "WARN", "errorCode": "AUTH_INVALID_ROLE", "context": {"reason": "Not you"}}
    handled(publish, "answerQuiz", **ids)
    publish("Message refused", operation="endQuiz", durationMs=3, coldStart=True, **ids, **refused)
    operator.page.fill("#filter-action", "quiz")
    operator.sees(LOG, "endQuiz")
    rows = operator.page.locator(LOG)

    texts = [" ".join(text.split()) for text in rows.all_inner_texts()]
    assert "WARN endQuiz calm-otter-118" in texts[0]
    assert "Refused AUTH_INVALID_ROLE cold start 3 ms Not you" in texts[0]
    assert "INFO answerQuiz calm-otter-118" in texts[1]
    assert "OK 12.3 ms" in texts[1]


def test_lines_of_an_invocation_are_one_row_which_opens_to_all_of_them(operator, running, publish):
    error = {"type": "KeyError", "message": "'x'", "stack": ['File "a.py", line 3, in find']}
    invocation = publish("Looking", where="shelf")
    running.page.publish("quiz", "printed by a library", invocation)
    code = {"errorCode": "INTERNAL_SERVER_ERROR", "error": error}
    publish("Message failed", invocation, level="ERROR", operation="findBook", durationMs=9, **code)
    operator.page.fill("#filter-text", invocation)
    operator.sees(LOG, "findBook")
    assert operator.page.locator(LOG).count() == 1
    assert operator.page.url.endswith(f"#watch?text={invocation}")

    operator.page.click("#log .open")
    for text in ("Looking", "shelf", "printed by a library", "KeyError: 'x'", invocation):
        operator.sees("#log .body", text)


@pytest.mark.long
def test_open_row_stays_and_nothing_moves_while_new_ones_come(operator, publish):
    handled(publish, "readThis")
    operator.page.fill("#filter-action", "this")
    operator.sees(LOG, "readThis")
    operator.page.click("#log .open")
    before = operator.page.locator("#log .body").bounding_box()
    handled(publish, "newThis")
    operator.sees("#watch-stop", "Continue (1 new)")

    assert operator.page.locator("#log .body").bounding_box() == before
    assert operator.page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    operator.page.click("#watch-stop")
    operator.sees(LOG, "newThis")
    assert operator.page.locator("#log .open[aria-expanded=true]").inner_text().endswith("readThis")


@pytest.mark.long
def test_list_is_stopped_and_goes_on(operator, publish):
    operator.page.fill("#filter-action", "stopped")
    operator.page.click("#watch-stop")
    handled(publish, "whileStopped")
    operator.sees("#watch-stop", "Continue (1 new)")
    assert operator.page.locator(LOG).count() == 0

    operator.page.click("#watch-stop")
    operator.sees(LOG, "whileStopped")
    operator.sees("#watch-stop", "Stop the list")


@pytest.mark.long
def test_rows_are_bounded(operator, publish):
    operator.page.fill("#filter-action", "manyRows")
    for number in range(250):
        handled(publish, f"manyRows{number}")
    operator.sees(LOG, "manyRows249")

    assert operator.page.locator(LOG).count() == 200


# --- filters


def test_filter_outlives_a_reload_and_a_name_in_a_row_filters(operator, publish):
    handled(publish, "joinFilter", sessionId="calm-otter-118")
    handled(publish, "joinFilter", sessionId="wise-heron-204", connectionId="JFXaf8sksoyqyYU=")
    operator.page.fill("#filter-action", "joinFilter")
    operator.page.locator(LOG, has_text="wise-heron-204").locator("button.name").first.click()
    address = operator.page.url
    assert address.endswith("#watch?session=wise-heron-204&action=joinFilter")

    operator.page.reload()
    operator.sees(LOG, "wise-heron-204")
    assert operator.page.input_value("#filter-session") == "wise-heron-204"
    assert operator.page.locator(LOG).count() == 1
    operator.page.click("#watch-clear")
    assert operator.page.url.endswith("#watch")


@pytest.mark.threat("crafted-link")
def test_what_may_be_a_key_filters_and_is_not_in_the_address(running, tab, publish):
    operator = tab("watch?session=golden-eagle-427/abcdefgh2345&level=ERROR")
    assert operator.page.url == f"{running.page.url}#watch?level=ERROR"
    operator.sees("#notice", "was left out")

    handled(publish, "keyed", word="abcdefgh2345")
    operator.page.select_option("#filter-level", "")
    operator.page.fill("#filter-text", "abcdefgh2345")
    operator.sees(LOG, "keyed")
    assert operator.page.url == f"{running.page.url}#watch"


@pytest.mark.long
def test_what_is_not_in_the_link_is_said_at_its_field(operator):
    operator.page.fill("#filter-session", "even-wolv")
    operator.page.fill("#filter-text", "timeout")

    operator.sees("#filter-session-hint", "not in the link")
    operator.sees("#filter-hint", "could be a key")
    assert operator.page.is_hidden("#filter-text-hint")
    assert operator.page.url.endswith("#watch?text=timeout")
    described = operator.page.get_attribute("#filter-session", "aria-describedby")
    assert described == "filter-session-hint filter-hint"
    operator.page.click("#watch-clear")
    assert operator.page.is_hidden("#filter-hint")


@pytest.mark.long
def test_level_of_a_link_may_be_in_small_letters_and_a_wrong_one_is_said(tab):
    assert tab("watch?level=error").page.input_value("#filter-level") == "ERROR"
    wrong = tab("watch?level=BOGUS&text=timeout")

    wrong.sees("#notice", "the level is none of INFO, WARN, ERROR")
    assert wrong.page.input_value("#filter-text") == "timeout"


@pytest.mark.long
def test_row_without_a_session_has_that_of_its_connection(operator, broadcast, publish):
    """The speaker's connection is known from the report of the sessions; another one's from its lines, also later ones."""
    _, session_id = broadcast
    row = operator.page.locator("#sessions tr", has_text=session_id)
    speaker = row.locator("button.name[data-kind=connection]").first.inner_text()
    failed = {"level": "ERROR", "errorCode": "INTERNAL_POLLY_ERROR"}
    publish("Message failed", operation="speakOfUnknown", connectionId=speaker, **failed)
    publish("Message handled", operation="earlier", connectionId="known-later=")
    publish("Message handled", operation="later", connectionId="known-later=", sessionId=session_id)
    operator.page.fill("#filter-session", session_id)

    operator.sees(LOG, "speakOfUnknown")
    operator.sees(LOG, "earlier")
    operator.sees("#errors li", f"QuizHandler, speakOfUnknown · {session_id}")


# --- metrics and errors


def metrics(publish, **values):
    declared = [{"Name": name, "Unit": unit} for name, (unit, _) in values.items()]
    document = {"CloudWatchMetrics": [{"Dimensions": [[]], "Metrics": declared}]}
    publish("Metrics", _aws=document, **{name: value for name, (_, value) in values.items()})


def test_metrics_have_words_units_percentiles_and_bad_news_first(operator, publish):
    metrics(
        publish,
        QuizLatency=("Milliseconds", [10, 20, 30]),
        QuizAnswersLost=("Count", 0),
        QuizFailures=("Count", 2),
    )
    latency = operator.page.locator('figure[data-name="QuizLatency"]')
    latency.wait_for()

    assert "p50 20 ms" in latency.inner_text()
    assert "p95 30, p99 30, last 30 ms" in latency.inner_text()
    label = latency.locator("svg").get_attribute("aria-label")
    assert label == "Quiz latency in the last minute: p50 20 ms, p95 30, p99 30, last 30 ms"
    bad = operator.page.locator("#metrics figure.alarming").all_inner_texts()
    first = operator.page.locator("#metrics figure").all_inner_texts()[: len(bad)]
    assert first == bad
    assert any("Quiz failures" in text and "2 in a minute" in text for text in bad)
    operator.page.click("#metrics-empty summary")
    operator.sees("#metrics-empty", "Quiz answers lost")


def test_error_stays_says_what_to_do_and_shows_its_rows(operator, publish):
    for _ in range(2):
        publish(
            "Message refused", level="WARN", operation="say", errorCode="RATE_LIMIT_AUDIO_CHUNKS"
        )
    error = operator.page.locator("#errors li", has_text="RATE_LIMIT_AUDIO_CHUNKS")
    error.wait_for()
    assert "Too many audio chunks" in error.inner_text()
    assert "the client waits, and tries again" in error.inner_text()

    error.locator("button").click()
    operator.sees(LOG, "say")
    assert operator.page.url.endswith("#watch?text=RATE_LIMIT_AUDIO_CHUNKS")


# --- sessions


def test_session_shows_who_speaks_who_listens_and_how_late(operator, broadcast):
    speaker, session_id = broadcast
    row = operator.page.locator("#sessions tr", has_text=session_id)
    row.filter(has_text="ms, p95").wait_for()
    assert "German 1" in row.inner_text()
    assert "none" in row.inner_text()

    speaker.page.click("#speak-pause")
    row.filter(has_text="paused").wait_for()
    row.locator("button.name").first.click()
    assert operator.page.url.endswith(f"#watch?session={session_id}")
    operator.sees(LOG, "pauseBroadcast")
    speaker.page.click("#speak-pause")
    row.filter(has_text="live").wait_for()


# --- for everyone


def test_operators_view_keeps_nobody_out(operator, broadcast, publish):
    """In both schemes, with a session, an error and an open row; at 320 px, as at 200 % zoom, nothing is cut off."""
    error = {"type": "E", "message": "m", "stack": ["File"]}
    publish("It failed", level="ERROR", operation="outOfOrder", durationMs=1, error=error)
    operator.page.locator("#sessions tr").first.wait_for()
    operator.page.fill("#filter-action", "outOfOrder")
    operator.sees(LOG, "outOfOrder")
    operator.page.click("#log .open")
    found = [b.violations(operator.page)]
    operator.page.emulate_media(color_scheme="dark")
    found += [b.violations(operator.page, "#watch", "color-contrast")]
    widths = {}
    for width in (1280, 640, 390, 320):
        operator.page.set_viewport_size({"width": width, "height": 740})
        widths[width] = operator.page.evaluate("document.documentElement.scrollWidth")
    found += [b.violations(operator.page, "#watch")]

    assert found == [[]] * 3
    assert widths == {width: width for width in widths}


@pytest.mark.long
def test_filters_are_folded_on_a_phone_and_nothing_sticks_out(tab):
    phone = tab("watch", viewport={"width": 320, "height": 740})
    assert phone.page.is_hidden("#filter-session")
    edge = "(selector) => document.querySelector(selector).getBoundingClientRect().right"
    right_of_card = phone.page.evaluate(edge, "#watch")
    assert phone.page.evaluate(edge, "#watch-stop") <= right_of_card - 1

    phone.page.click("#watch-filters summary")
    phone.page.select_option("#filter-level", "WARN")
    phone.page.click("#watch-filters summary")
    phone.sees("#watch-filters summary", "Filters: level")


@pytest.mark.long
def test_beside_another_view_it_is_folded_until_it_is_asked_for(tab):
    speaker = tab("speak")
    assert speaker.page.is_hidden("#log-title")

    speaker.page.click("#watch-beside")
    assert speaker.page.is_visible("#log-title")
    assert b.violations(speaker.page, "#watch") == []
    speaker.page.click("#watch-beside")
    assert speaker.page.is_hidden("#log-title")


@pytest.mark.long
def test_keyboard_opens_a_row_and_the_focus_stays(operator, publish):
    handled(publish, "byKeyboard")
    operator.page.fill("#filter-action", "byKeyboard")
    operator.sees(LOG, "byKeyboard")
    operator.page.focus("#watch-stop")
    press = operator.page.keyboard.press
    for _ in range(4):
        press("Tab")
        if operator.page.evaluate("document.activeElement.className") == "open":
            break
    press("Enter")
    operator.page.wait_for_selector("#log .body")
    handled(publish, "byKeyboardToo")
    operator.sees("#watch-stop", "Continue (1 new)")

    assert operator.page.evaluate("document.activeElement.className") == "open"
    press("Enter")
    operator.page.wait_for_selector("#log .body", state="detached")
