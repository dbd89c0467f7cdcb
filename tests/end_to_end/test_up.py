"""`python -m local`: started in a copy of the sources, used by other processes, ended in every way."""

import asyncio
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from local.assembly import synthesize
from local.audio import Recording, write_recording
from local.client import RequestRefusedError, connect, stream
from local.state import find_running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
MANUAL = (ROOT / "docs/local.md").read_text()
SOURCES = (
    "cdk",
    "functions",
    "infrastructure",
    "local",
    "wslocal",
    "shared-layer",
    "requirements",
    "web",
    "cdk.json",
)
SECONDS = 60.0
AUDIO = "websocket-audio-dev-audio"


class Up:
    """A running `python -m local up`, and its output so far."""

    def __init__(self, place, *options):
        self.place = place
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local", "up", *options],
            cwd=place.root,
            env=place.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = ""

    @property
    def running(self):
        return find_running(self.process.pid)

    @property
    def pid(self):
        """The option that names it: other systems of this user may run."""
        return "--pid", str(self.process.pid)

    def run(self, *arguments):
        """Run another command on this system, from a shell without a single variable."""
        return self.place.run(*arguments, *self.pid)

    def wait_for(self, pattern):
        """Read the output until it holds `pattern`; return the match."""
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.output)):
            ready, _, _ = select.select([self.process.stdout], [], [], until - time.monotonic())
            assert ready, f"no {pattern!r} in {self.output!r}"
            new = os.read(self.process.stdout.fileno(), 65_536)
            assert new, f"ended with {self.process.wait()}: {self.output}"
            self.output += new.decode()
        return found


class Place:
    """A copy of the sources, and a folder for everything that is written while they run."""

    def __init__(self, root):
        self.root = root
        # Short, because a socket's path may have 108 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="up-", dir="/tmp"))
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
        }

    def run(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "local", *arguments],
            cwd=self.root,
            env={},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def start(self, *arguments, stdout=subprocess.PIPE):
        """Start another command, from a shell without a single variable."""
        return subprocess.Popen(
            [sys.executable, "-m", "local", *arguments],
            cwd=self.root,
            env={},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def leftovers(self):
        """Return what is in the folder."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    synthesize("dev")  # takes long, so it is made once, for all tests and for the demo
    root = tmp_path_factory.mktemp("copy")
    ignore = shutil.ignore_patterns("__pycache__", "node_modules", "tests", "*.zip")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=ignore)
        else:
            shutil.copy(source, root / name)
    shutil.copytree(ROOT / ".cache", root / ".cache")
    return root


@pytest.fixture
def place(copy):
    place = Place(copy)
    yield place
    # What was killed is removing its own files, too.
    assert eventually(lambda: shutil.rmtree(place.folder, True) or not place.folder.exists())


@pytest.fixture
def up(place):
    """Return a function that starts a system; what still runs at the end is killed."""
    started = []

    def start(*options):
        started.append(Up(place, *options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def descendants(pid):
    """Return the processes that a process has started, and they in turn, as open pidfds."""
    found = {}
    waiting = [pid]
    while waiting:
        for children in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError):  # of a thread that has just ended
                for child in map(int, children.read_text().split()):
                    with contextlib.suppress(ProcessLookupError):
                        found[child] = os.pidfd_open(child)
                        waiting.append(child)
    return found


def assert_ended(lives):
    for pid, life in lives.items():
        ended, _, _ = select.select([life], [], [], 20)
        assert ended, Path(f"/proc/{pid}/cmdline").read_bytes()
        os.close(life)


def eventually(condition):
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


async def beat(url, times):
    """Send heartbeats, and return the replies' types."""
    async with connect(url) as client:
        return [(await client.request("heartbeat"))["type"] for _ in range(times)]


@pytest.mark.long
def test_two_systems_run_at_once_and_each_ends_without_a_trace(up, place):
    systems = [up("--no-reload"), up("--no-reload")]
    for system in systems:
        url = system.wait_for(r"API +(ws://\S+)")[1]
        system.wait_for("Ctrl-C ends everything")
        assert "\nopen: anyone who reaches the API may speak\n" in system.output
        assert asyncio.run(beat(url, 2)) == ["heartbeatAck"] * 2

    several = place.run("status").stdout
    for system in systems:
        pid, url = system.process.pid, system.running.url
        shown = rf"process {pid}, stack \S+, for \d+ (s|min)\nAPI     {re.escape(url)}\n"
        assert re.search(shown, several)
    choose = place.run("metrics")
    assert choose.returncode == 1
    assert re.search(r"\d+ systems run here: choose with --pid one of", choose.stderr)

    for system, number in zip(systems, (signal.SIGINT, signal.SIGKILL), strict=True):
        lives = descendants(system.process.pid)
        assert len(lives) >= 4  # the emulator, an environment, their guards
        system.process.send_signal(number)
        system.process.wait(20)
        assert_ended(lives)
    assert systems[0].process.returncode == 0
    assert [gone.run("status").returncode for gone in systems] == [1, 1]
    assert eventually(lambda: place.leftovers() == []), place.leftovers()


def emulator_of(pid):
    """Return the process of the AWS APIs that `up` has started."""
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in descendants(pid)}
    [emulator] = [child for child, command in commands.items() if b"emulator_process" in command]
    return emulator


async def beat_after_a_stop(url, emulator, seconds):
    """Return the reply to a client that was connected all the while."""
    async with connect(url) as client:
        os.kill(emulator, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(emulator, signal.SIGCONT)
        return (await client.request("heartbeat"))["type"]


@pytest.mark.parametrize("seconds", [1.5, pytest.param(10, marks=pytest.mark.long)])
@pytest.mark.fault(
    what="the emulator of the AWS APIs is killed while a session speaks",
    speaker="close code 1001; `speak` says how much was sent, exit code 4",
    listeners="close code 1001; `listen` writes what was heard, exit code 4",
    log="`up` says it in one sentence, with no traceback",
    heals="`up` ends in order with exit code 1 within 5 s: what the emulator kept is lost; start it again",
)
def test_aws_apis_may_stop_for_a_while_and_their_end_ends_everything(up, place, seconds):
    system = up("--no-reload")
    url = system.wait_for(r"API +(ws://\S+)")[1]
    system.wait_for("Ctrl-C ends everything")
    lives, emulator = descendants(system.process.pid), emulator_of(system.process.pid)
    asyncio.run(warm_up(url))

    assert asyncio.run(beat_after_a_stop(url, emulator, seconds)) == "heartbeatAck"
    assert eventually(lambda: "heartbeat" in system.run("logs", "--no-follow").stdout)

    heard, long = place.folder / "heard.wav", place.folder / "long.wav"
    write_recording(long, Recording(bytes(range(200)) * 160 * 6, 16_000, 1))
    with place.start("speak", str(long), *system.pid) as speaking:
        session = speaking.stdout.readline().split()[1]
        time.sleep(0.5)
        speaking.send_signal(signal.SIGINT)
        _, sentence = speaking.communicate(timeout=20)
    assert speaking.returncode == 130
    assert sentence.endswith(" of 60 chunks were sent, and the session was ended\n")
    of_session = ("logs", "--no-follow", "--session", session)
    assert eventually(lambda: "operation=endSession" in system.run(*of_session).stdout)

    with place.start("speak", str(long), "--listeners", "1", *system.pid) as speaking:
        session = speaking.stdout.readline().split()[1]
        with place.start("listen", session, "-o", str(heard), *system.pid) as listening:
            assert "listening to" in listening.stdout.readline()
            time.sleep(1)
            os.kill(emulator, signal.SIGKILL)
            killed_at = time.monotonic()
            code = system.process.wait(20)
            took = time.monotonic() - killed_at
            spoken, listened = (one.communicate(timeout=20) for one in (speaking, listening))

    output = system.output + system.process.stdout.read().decode()
    assert code == 1
    assert took < 5
    last = output.splitlines()[-1]
    assert last == "Error: the AWS APIs have ended, with all that they kept (SIGKILL)"
    assert "Traceback" not in output
    assert len(output) < 4_000
    closed = "the connection was closed: 1001 Going away"
    assert (speaking.returncode, listening.returncode) == (4, 4)
    assert re.fullmatch(rf"\d+ of 60 chunks were sent; then {closed}\n", spoken[1])
    assert listened[1] == f"{closed}; {heard} has what was heard until then\n"
    assert_ended(lives)
    assert system.run("status").returncode == 1
    long.unlink()
    heard.unlink()
    assert eventually(lambda: place.leftovers() == []), place.leftovers()


@pytest.mark.long
@pytest.mark.fault(
    what="`up` itself is killed while a session speaks",
    speaker="a connection that broke; `speak` says how much was sent, exit code 4",
    listeners="a connection that broke; `listen` writes what was heard, exit code 4",
    log="nothing",
    heals="all that it started ends with it, and its files go; start it again",
)
def test_up_that_is_killed_while_it_works_takes_everything_with_it(up, place):
    system = up("--no-reload")
    asyncio.run(warm_up(system.wait_for(r"API +(ws://\S+)")[1]))
    heard, long = place.folder / "heard.wav", place.folder / "long.wav"
    write_recording(long, Recording(bytes(range(200)) * 160 * 6, 16_000, 1))
    with place.start("speak", str(long), "--listeners", "1", *system.pid) as speaking:
        session = speaking.stdout.readline().split()[1]
        with place.start("listen", session, "-o", str(heard), *system.pid) as listening:
            assert "listening to" in listening.stdout.readline()
            time.sleep(1)
            lives = descendants(system.process.pid)
            system.process.kill()
            spoken, listened = (one.communicate(timeout=20) for one in (speaking, listening))

    broken = "the connection broke without a closing frame"
    assert (speaking.returncode, listening.returncode) == (4, 4)
    assert re.fullmatch(rf"\d+ of 60 chunks were sent; then {broken}\n", spoken[1])
    assert listened[1] == f"{broken}; {heard} has what was heard until then\n"
    assert_ended(lives)
    assert system.run("status").returncode == 1
    long.unlink()
    heard.unlink()
    assert eventually(lambda: place.leftovers() == []), place.leftovers()
    again = up("--no-reload")
    assert asyncio.run(beat(again.wait_for(r"API +(ws://\S+)")[1], 1)) == ["heartbeatAck"]


def pipe_without_a_reader():
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def by_hand(**names):
    """Return the manual's commands by their names, as arguments, with real names in them."""
    lines = re.findall(r"\.venv/dev/bin/python -m local ([^#\n]+)", MANUAL)
    commands = [[names.get(word, word) for word in line.split()] for line in lines]
    return {command[0]: command for command in commands}


@pytest.mark.long
def test_recording_comes_out_at_the_listeners_side(up, place):
    """By the manual's own lines, from shells that have not a variable of the first one's."""
    system = up("--no-reload")
    asyncio.run(warm_up(system.wait_for(r"API +(ws://\S+)")[1]))
    recording = place.root / "local" / "recordings" / "speech.wav"
    heard = place.folder / "heard.wav"
    speak = by_hand(**{"FILE.wav": str(recording)})["speak"]
    with subprocess.Popen(
        [sys.executable, "-m", "local", *speak, "--listeners", "1", *system.pid],
        cwd=place.root,
        env={"TMPDIR": str(place.root)},
        stdout=subprocess.PIPE,
        text=True,
    ) as speaking:
        session = speaking.stdout.readline().split()[1]
        files = {"out.wav": str(heard), "FILE.wav": str(recording)}
        commands = by_hand(SESSION=session, KEY="key-of-nobody", **files)
        listening = system.run(*commands["listen"], "--jitter", "5")
        spoken, _ = speaking.communicate(timeout=SECONDS)

    assert speaking.returncode == 0
    assert "sent 53 chunks, 5.2 s" in spoken
    assert listening.returncode == 0, listening.stderr
    assert "53 chunks, 0 missing" in listening.stdout
    assert heard.read_bytes() == recording.read_bytes()

    lines = system.run(*commands["logs"], "--no-follow", "--session", session).stdout
    assert "operation=joinSession" in lines
    assert "\x1b" not in lines
    assert "ListenersNotified" in system.run("metrics").stdout
    status = system.run("status").stdout
    assert page_of(status).startswith(b"<!doctype html>")
    assert "ws://127.0.0.1:" in status
    assert re.search(r"^audio +[0-9]", status, re.MULTILINE)
    assert "each name begins with websocket-audio-dev-\n" in status
    assert "over after" in system.run("fault", "freeze-emulator", "--seconds", "0.1").stdout
    for command in ("metrics", "status", "logs"):  # `logs` follows, and would not end
        with place.start(command, *system.pid, stdout=pipe_without_a_reader()) as unread:
            _, errors = unread.communicate(timeout=20)
        assert (unread.returncode, errors) == (0, "")
    assert "done to" in system.run("fault", "kill-environments", AUDIO).stdout
    system.wait_for(rf"{AUDIO}: environments that ended while they were idle: \d+\n")
    assert re.search(r"^audio: [1-9]\d* crash", system.run("status").stdout, re.MULTILINE)
    assert "SESSION_NOT_FOUND" in system.run(*commands["interpret"]).stderr
    assert set(commands) == {"up", "speak", "listen", "interpret", "logs"}

    lives = descendants(system.process.pid)
    system.process.terminate()
    assert system.process.wait(20) == 0
    assert_ended(lives)
    assert system.run("status").returncode == 1


async def warm_up(url):
    """Start the function that passes audio on: on a busy machine it takes longer than the speech."""
    async with connect(url) as speaker, connect(url) as listener:
        created = await speaker.request("createSession", sourceLanguage="en")
        await listener.request("joinSession", sessionId=created["sessionId"], targetLanguage="es")
        await stream(speaker, [bytes(3200)], 0)
        async with asyncio.timeout(SECONDS):
            await listener.audio.get()


def page_of(status):
    """Return what a browser gets at the page's address."""
    address = re.search(r"page +(http://127\.0\.0\.1:\d+/)", status)[1]
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own address
        return answer.read().lower()


def test_changed_sources_become_live_and_no_message_is_lost(up, place):
    system = up()
    url = system.wait_for(r"API +(ws://\S+)")[1]
    system.wait_for("Ctrl-C ends everything")

    async def change_while_beating(path, old, new, live):
        done = asyncio.Event()

        async def keep_beating():
            replies = []
            async with connect(url) as client:
                while not done.is_set():
                    replies.append((await client.request("heartbeat"))["type"])
                    await asyncio.sleep(0.12)  # more than ten a second are refused
            return replies

        beating = asyncio.create_task(keep_beating())
        source = place.root / path
        text = source.read_text()
        assert old in text
        source.write_text(text.replace(old, new))
        started = time.monotonic()
        await asyncio.to_thread(system.wait_for, live)
        took = time.monotonic() - started
        done.set()
        replies = [*await beating, *await beat(url, 1)]  # the last one by the new code
        source.write_text(text)
        return replies, took

    handler = "functions/handlers/connection.py"
    replies, took = asyncio.run(
        change_while_beating(
            handler,
            "from __future__ import annotations\n",
            'from __future__ import annotations\nprint(\'{"level":"INFO","message":"new code"}\')\n',
            rf"{handler} is live after",
        )
    )
    assert set(replies) == {"heartbeatAck"}
    assert took < 10
    assert eventually(lambda: "new code" in system.run("logs", "--no-follow").stdout)

    package = "shared-layer/python/shared_utils/__init__.py"
    replies, took = asyncio.run(
        change_while_beating(
            package,
            "__version__ = ",
            "__version__ = 'new' + ",
            "more are live|__init__.py is live",
        )
    )
    assert set(replies) == {"heartbeatAck"}
    assert took < 10
    assert eventually(lambda: "with layer new0" in system.run("logs", "--no-follow").stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "--pid", "1"], "no system (with process id 1 )?runs here"),
        (["listen", "golden-eagle-427", "--pid", "1"], "no system (with process id 1 )?runs here"),
        (["logs", "--pid", "1"], "no system (with process id 1 )?runs here"),
        (["speak", "missing.wav"], "'missing.wav' does not exist"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(place, arguments, message):
    run = place.run(*arguments)

    assert run.returncode in {1, 2}
    assert re.search(message, run.stderr)
    assert "Traceback" not in run.stderr


async def sessions(url, count):
    """Make sessions one after the other, from one address; the first that is refused raises."""
    for _ in range(count):
        async with connect(url) as speaker:
            await speaker.request("createSession", sourceLanguage="en")


def test_settings_of_the_functions_can_be_set(up):
    system = up("--no-reload", "--set", "RATE_LIMIT_SESSION_CREATION=2")
    url = system.wait_for(r"API +(ws://\S+)")[1]

    asyncio.run(sessions(url, 2))
    with pytest.raises(RequestRefusedError, match="RATE_LIMIT_SESSION_CREATION: "):
        asyncio.run(sessions(url, 1))


def test_setting_that_no_function_takes_is_said_before_it_runs(place):
    run = place.run("up", "--set", "RATE_LIMIT_SESSION_CREATION=none")

    wanted = "RATE_LIMIT_SESSION_CREATION must be a whole number from 1 to 10000, got 'none'"
    assert (run.returncode, run.stderr) == (1, f"Error: {wanted}\n")
    assert "Ctrl-C" not in run.stdout
    assert eventually(lambda: place.leftovers() == []), place.leftovers()


def test_port_that_is_taken_is_named(place):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        run = place.run("up", "--port", str(port))

    assert run.returncode == 1
    assert run.stderr == f"Error: port {port} is taken; choose another with --port\n"
    assert place.leftovers() == []
