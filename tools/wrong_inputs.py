"""What a wrong command line is answered with: rows that tests run, and that docs/local.md shows."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ROWS", "Row", "table"]


class Row(NamedTuple):
    """What follows `python -m local`, its exit code and its sentence, where so many systems run.

    What the names of files stand for, docs/local.md says; TAKEN is a port on which something listens.
    """

    arguments: str
    code: int
    sentence: str
    systems: int = 1


_NO_AUDIO = "is no WAV, MP3, FLAC or Ogg file, or is damaged"
_NONE = "no system runs here: start one with `python -m local up`"
_TWO = "2 systems run here: choose with --pid one of 101 (/a, for 0 s), 102 (/a, for 0 s)"
_KEY = "--key key-of-interpreters"

ROWS = (
    Row(
        "sing",
        2,
        "the command must be one of caption, demo, fault, interpret, listen, logs, metrics, speak, status, up, got 'sing'",
    ),
    Row("speak", 2, "Missing argument 'RECORDING'"),
    Row("speak NONE.wav", 2, "Invalid value for 'RECORDING': File 'NONE.wav' does not exist"),
    Row("speak FOLDER", 2, "Invalid value for 'RECORDING': File 'FOLDER' is a directory"),
    Row("speak EMPTY.wav", 1, "EMPTY.wav is empty"),
    Row("speak TEXT.mp3", 1, f"TEXT.mp3 {_NO_AUDIO}"),
    Row("speak DAMAGED.flac", 1, "DAMAGED.flac is damaged after 1.2 s of sound"),
    Row("speak SHORT.wav", 1, "SHORT.wav has no sound: 98 bytes, at least 100"),
    Row("speak SPEECH.wav", 1, _NONE, systems=0),
    Row("speak SPEECH.wav", 1, _TWO, systems=2),
    Row("speak SPEECH.wav --pid 7", 1, "no system with process id 7 runs here"),
    Row(
        "speak SPEECH.wav --pid -1",
        2,
        "Invalid value for '--pid': must be a whole number from 1 to 4,194,304, got '-1'",
    ),
    Row(
        "speak SPEECH.wav --language klingon",
        2,
        "Invalid value for '--language': must look like en, en-US or zh-Hans-CN, got 'klingon'",
    ),
    Row(
        "speak SPEECH.wav --listeners -1",
        2,
        "Invalid value for '--listeners': must be a whole number from 0 to 10,000, got '-1'",
    ),
    Row(
        "speak SPEECH.wav --listeners 0x10",
        2,
        "Invalid value for '--listeners': must be a whole number from 0 to 10,000, got '0x10'",
    ),
    Row(
        "speak SPEECH.wav --listener-key short",
        2,
        "Invalid value for '--listener-key' (env var: 'WEBSOCKET_AUDIO_KEY'): a key has 8 to 64 characters",
    ),
    Row(
        "speak SPEECH.wav --origin a.example",
        2,
        "Invalid value for '--origin' (env var: 'WEBSOCKET_AUDIO_ORIGIN'): must look like https://example.org, got 'a.example'",
    ),
    Row(
        "speak SPEECH.wav --token-file NONE",
        2,
        "Invalid value for '--token-file': File 'NONE' does not exist",
    ),
    Row(
        "speak SPEECH.wav --token-file EMPTY.wav",
        2,
        "EMPTY.wav is empty: it must hold an access token",
    ),
    Row("speak SPEECH.wav --loud", 2, "No such option '--loud'"),
    Row("listen", 2, "Missing argument 'SESSION'"),
    Row(
        "listen Golden-Eagle-427",
        2,
        "Invalid value for 'SESSION': must look like golden-eagle-427, got 'Golden-Eagle-427'",
    ),
    Row(
        "listen golden-eagle-427 --language e",
        2,
        "Invalid value for '--language': must look like en, en-US or zh-Hans-CN, got 'e'",
    ),
    Row(
        "listen golden-eagle-427 --jitter nan",
        2,
        "Invalid value for '--jitter': must be a number of seconds, 0 to 3,600, got 'nan'",
    ),
    Row(
        "listen golden-eagle-427 --jitter 1e999",
        2,
        "Invalid value for '--jitter': must be a number of seconds, 0 to 3,600, got '1e999'",
    ),
    Row(
        "listen golden-eagle-427 --audio both",
        2,
        "Invalid value for '--audio': 'both' is not one of 'interpreted', 'original'",
    ),
    Row(
        "listen golden-eagle-427 -o FOLDER",
        2,
        "Invalid value for '-o' / '--output': File 'FOLDER' is a directory",
    ),
    Row(
        "listen golden-eagle-427 -o NONE/heard.wav",
        1,
        "NONE/heard.wav cannot be written: No such file or directory",
    ),
    Row("listen golden-eagle-427", 1, _NONE, systems=0),
    Row("listen golden-eagle-427", 1, _TWO, systems=2),
    Row(f"interpret golden-eagle-427 EMPTY.wav --language de {_KEY}", 1, "EMPTY.wav is empty"),
    Row(f"interpret golden-eagle-427 TEXT.mp3 --language de {_KEY}", 1, f"TEXT.mp3 {_NO_AUDIO}"),
    Row(
        "interpret golden-eagle-427 SPEECH.wav --language de",
        2,
        "Missing option '--key' (env var: 'WEBSOCKET_AUDIO_INTERPRETER_KEY')",
    ),
    Row(f"interpret golden-eagle-427 SPEECH.wav {_KEY}", 2, "Missing option '--language'"),
    Row(
        f"interpret eagle SPEECH.wav --language de {_KEY}",
        2,
        "Invalid value for 'SESSION': must look like golden-eagle-427, got 'eagle'",
    ),
    Row(f"interpret golden-eagle-427 SPEECH.wav --language de {_KEY}", 1, _NONE, systems=0),
    Row(
        f"caption golden-eagle-427 EMPTY.wav --language de {_KEY}",
        1,
        "EMPTY.wav, line 1: a WebVTT file begins with WEBVTT",
    ),
    Row(
        f"caption golden-eagle-427 SPEECH.wav --language de {_KEY}",
        1,
        "SPEECH.wav, line 1: not UTF-8, as WebVTT is",
    ),
    Row(
        f"caption golden-eagle-427 FOLDER --language de {_KEY}",
        2,
        "Invalid value for 'CAPTIONS': File 'FOLDER' is a directory",
    ),
    Row(
        f"caption golden-eagle-427 NO-TEXT.vtt --language de {_KEY}",
        1,
        "NO-TEXT.vtt has no captions",
    ),
    Row(
        "logs --level LOUD",
        2,
        "Invalid value for '--level': 'LOUD' is not one of 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'",
    ),
    Row(
        "logs --session eagle",
        2,
        "Invalid value for '--session': must look like golden-eagle-427, got 'eagle'",
    ),
    Row("logs", 1, _NONE, systems=0),
    Row(
        "metrics --minutes 0",
        2,
        "Invalid value for '--minutes': must be a whole number from 1 to 21,600, got '0'",
    ),
    Row(
        "metrics --minutes inf",
        2,
        "Invalid value for '--minutes': must be a whole number from 1 to 21,600, got 'inf'",
    ),
    Row("metrics", 1, _TWO, systems=2),
    Row("status", 1, _NONE, systems=0),
    Row("status --pid 7", 1, "no system with process id 7 runs here"),
    Row("up --port TAKEN", 1, "port TAKEN is taken; choose another with --port"),
    Row("up --page-port TAKEN", 1, "port TAKEN is taken; choose another with --page-port"),
    Row(
        "up --port 65536",
        2,
        "Invalid value for '--port': must be a whole number from 0 to 65,535, got '65536'",
    ),
    Row(
        "up --port http",
        2,
        "Invalid value for '--port': must be a whole number from 0 to 65,535, got 'http'",
    ),
    Row("up --port 8080 --page-port 8080", 1, "--port and --page-port must differ, both are 8080"),
    Row("up --set LOG_LEVEL", 2, "Invalid value for '--set': must be NAME=VALUE, got 'LOG_LEVEL'"),
    Row("demo EMPTY.wav", 1, "EMPTY.wav is empty"),
    Row("demo LONG.wav", 1, "LONG.wav plays for 601 s: the demo takes at most 600 s"),
    Row("demo -o NONE/heard.wav", 1, "NONE/heard.wav cannot be written: No such file or directory"),
    Row("demo --port TAKEN", 1, "port TAKEN is taken; choose another with --port"),
    Row(
        "fault posts 418",
        2,
        "Invalid value for 'ANSWER': '418' is not one of '410', '429', '500', 'nothing'",
    ),
    Row("fault cut", 2, "Missing argument 'CONNECTION'"),
    Row(
        "fault no-space --seconds 0",
        2,
        "Invalid value for '--seconds': must be a number of seconds, more than 0 and at most 31,622,400, got '0'",
    ),
    Row(
        "fault table --delay nan",
        2,
        "Invalid value for '--delay': must be a number of seconds, 0 to 3,600, got 'nan'",
    ),
    Row(
        "fault request-time --by inf",
        2,
        "Invalid value for '--by': must be a number of seconds, -316,224,000 to 316,224,000, got 'inf'",
    ),
    Row("fault freeze-emulator", 1, _TWO, systems=2),
)


def table() -> str:
    """Return the rows for docs/local.md."""
    lines = ["| `python -m local` | exit code | what it says |", "| --- | ---: | --- |"]
    systems = {0: ", no system runs", 1: "", 2: ", two systems run"}
    for row in ROWS:
        shown = f"`{row.arguments}`{systems[row.systems]}"
        lines.append(f"| {shown} | {row.code} | {row.sentence} |")
    return "\n".join(lines)
