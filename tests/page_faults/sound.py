"""A machine's sound without hardware: one PulseAudio server, in a process of its own.

A machine may have a microphone, into which a signal is played for ever, and an output. Both are null sinks: they take
what they are given in real time, and their monitors can be recorded. What a browser opens is like a real device: it
can be lost, be silent, or stand still. Whoever is to be without a device has a machine of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tests.page_faults.recording import RATE, Recording

__all__ = ["EAR", "MICROPHONE", "WITHOUT_PULSEAUDIO", "SoundMachine", "pulseaudio"]

# Why a test is skipped; CI installs it, and fails without.
WITHOUT_PULSEAUDIO = "not run, for want of a PulseAudio"

EAR = "ear"
VOICE = "voice"
MICROPHONE = "microphone"
# Between speech and a null sink: what the player may be late by.
PLAYER_MS = 500
# How much a null sink mixes at once: its granularity as a clock.
RECORDER_MS = 10

_NULL_SINK = (
    "module-null-sink sink_name={0} rate=48000 channels=1 sink_properties=device.description={0}"
)
# A monitor is no microphone to a browser; a source that takes what the monitor gives is one.
_SOURCE = "module-remap-source source_name={0} master={1}.monitor source_properties=device.description={0}"


def pulseaudio():
    """Return whether this machine has what a `SoundMachine` needs."""
    return all(map(shutil.which, ("pulseaudio", "pactl", "pacat", "parec")))


_QUIET = {"stderr": subprocess.DEVNULL}


class SoundMachine:
    """Run until the end of a `with` statement.

    `voice` is PCM16 at `RATE`, played into the microphone over and over; without it there is no microphone.
    """

    def __init__(self, voice=None):
        self._voice = voice
        self._modules = {}
        self._streams = []
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="sound-")))
            socket = folder / "socket"
            self.environment = {**os.environ, "PULSE_SERVER": f"unix:{socket}", "HOME": str(folder)}
            self._serve(folder, socket, undo)
            self.plug_in_ear()
            if self._voice is not None:
                self.plug_in_microphone()
                self._play(undo)
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def _serve(self, folder, socket, undo):
        script = folder / "default.pa"
        script.write_text(
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n"
        )
        options = (
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--log-level=error",
        )
        server = undo.enter_context(
            _process(
                ["pulseaudio", *options, "-F", script],
                env={**self.environment, "PULSE_RUNTIME_PATH": str(folder)},
                stderr=subprocess.DEVNULL,
            )
        )
        until(lambda: socket.exists() or server.poll() is not None, 10)
        until(lambda: "Server Name" in self._pactl("info", check=False), 10)

    def _play(self, undo):
        undo.enter_context(self._kept_running("pacat", VOICE, VOICE, PLAYER_MS, self._feed))

    def _feed(self, player):
        with contextlib.suppress(OSError):  # the microphone is gone
            while True:
                player.stdin.write(self._voice)

    @contextlib.contextmanager
    def _kept_running(self, program, device, stream, latency_ms, use):
        """Run a player or recorder of a device, anew whenever the device comes back; `use` gets each."""
        ended = threading.Event()
        form = ("--raw", "--format=s16le", f"--rate={RATE}", "--channels=1")
        command = [program, f"--device={stream}", f"--latency-msec={latency_ms}", *form]

        def run():
            while not ended.is_set():
                if device in self._modules:
                    with _process(
                        command,
                        env=self.environment,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        **_QUIET,
                    ) as started:
                        self._streams.append((device, started))
                        use(started)
                ended.wait(0.02)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            self._end_streams(device, program)
            thread.join(5)

    def _pactl(self, *arguments, check=True):
        done = subprocess.run(
            ["pactl", *arguments], env=self.environment, capture_output=True, text=True, check=check
        )
        return done.stdout

    def _load(self, name, module):
        self._modules[name] = self._pactl("load-module", *module.split()).strip()

    def _unload(self, name):
        module = self._modules.pop(name)
        self._end_streams(name)  # they would be moved to another device
        self._pactl("unload-module", module)

    def _end_streams(self, device, program=""):
        for name, process in self._streams:
            if name == device and program in process.args[0]:
                process.terminate()

    # --- what can happen to it

    def plug_in_ear(self):
        self._load(EAR, _NULL_SINK.format(EAR))
        self._pactl("set-default-sink", EAR)

    def unplug_ear(self):
        self._unload(EAR)

    def plug_in_microphone(self):
        self._load(VOICE, _NULL_SINK.format(VOICE))
        self._load(MICROPHONE, _SOURCE.format(MICROPHONE, VOICE))
        self._pactl("set-default-source", MICROPHONE)

    def unplug_microphone(self):
        self._unload(MICROPHONE)
        self._unload(VOICE)  # else its monitor would be taken for one

    def silence_microphone(self, silent):
        # Not muted, of which the browser would know.
        self._pactl("set-source-volume", MICROPHONE, "0%" if silent else "100%")

    def suspend(self, suspended):
        """Let all devices stand still, or go on."""
        if EAR in self._modules:
            self._pactl("suspend-sink", EAR, str(int(suspended)))
        if MICROPHONE in self._modules:
            self._pactl("suspend-source", MICROPHONE, str(int(suspended)))

    # --- what can be known of it

    def streams(self):
        """Return how many programs play, and how many record."""
        return tuple(
            len(self._pactl("list", "short", kind).splitlines())
            for kind in ("sink-inputs", "source-outputs")
        )

    @contextlib.contextmanager
    def recorded(self, device):
        """Record what a device plays, until the end of a `with` statement; it may come and go meanwhile."""
        recording = Recording()

        def record(recorder):
            while data := recorder.stdout.read1(65536):
                recording.add(time.monotonic(), data)

        with self._kept_running("parec", device, f"{device}.monitor", RECORDER_MS, record):
            until(lambda: recording.has_begun, 10)
            yield recording


@contextlib.contextmanager
def _process(command, **options):
    started = subprocess.Popen(command, **options)
    with contextlib.suppress(OSError):  # a sound card does not wait for a busy machine
        os.setpriority(os.PRIO_PROCESS, started.pid, -15)
    try:
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(OSError):
            for pipe in filter(None, (started.stdin, started.stdout)):
                pipe.close()
        try:
            started.wait(5)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def until(condition, seconds, pause=0.05):
    """Return what `condition` returns as soon as it is true; AssertionError when time is up."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(pause)
    return result
