"""A module that runs with a shifted clock sees it everywhere in `time` and `datetime`."""

import json
import subprocess
import sys
import time

import pytest

from wslocal.lambda_host.shifted_clock import shifted

SHIFT = 86_400 * 400 + 0.25
SHOWS = """
import json, os, sys, time, datetime
from datetime import date, datetime as moment, timezone

real = moment.__mro__[1]  # what C code makes
print(json.dumps({
    "arguments": sys.argv[1:],
    "path": sys.path[0] == os.getcwd(),
    "now": {
        "time": time.time(),
        "time_ns": time.time_ns() / 1e9,
        "clock_gettime": time.clock_gettime(time.CLOCK_REALTIME),
        "clock_gettime_ns": time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9,
        "localtime": time.mktime(time.localtime()),
        "gmtime": time.mktime(time.gmtime(None)),
        "ctime": time.mktime(time.strptime(time.ctime())),
        "asctime": time.mktime(time.strptime(time.asctime())),
        "strftime": time.mktime(time.strptime(time.strftime("%Y-%m-%d %H:%M:%S"), "%Y-%m-%d %H:%M:%S")),
        "now": moment.now().timestamp(),
        "now in UTC": moment.now(timezone.utc).timestamp(),
        "utcnow": moment.utcnow().replace(tzinfo=timezone.utc).timestamp(),
        "datetime.today": moment.today().timestamp(),
    },
    "monotonic": time.monotonic(),
    "clock": time.clock_gettime(time.CLOCK_MONOTONIC),
    "given": [
        time.gmtime(0).tm_year,
        time.strftime("%Y", time.gmtime(0)),
        time.asctime(time.gmtime(0)),
        moment.fromtimestamp(0, timezone.utc).isoformat(),
    ],
    "today": date.today().isoformat(),
    "kinds": [
        isinstance(moment.now(), date),
        isinstance(real(2026, 1, 2), moment),
        isinstance(date.today(), moment),
        isinstance(moment(2026, 1, 2) + datetime.timedelta(1), moment),
    ],
}))
"""


def test_module_sees_another_time(tmp_path):
    (tmp_path / "shows.py").write_text(SHOWS)
    command = shifted((sys.executable, "-m", "shows", "a", "b"), SHIFT)

    before = time.time()
    run = subprocess.run(
        command, cwd=tmp_path, env={"TZ": "UTC"}, capture_output=True, text=True, check=True
    )
    after = time.time()
    shown = json.loads(run.stdout)

    assert shown["arguments"] == ["a", "b"]
    assert shown["path"]
    for name, moment in shown["now"].items():
        assert before - 1 <= moment - SHIFT <= after, name  # some in whole seconds
    assert abs(shown["monotonic"] - time.monotonic()) < 60
    assert abs(shown["clock"] - time.monotonic()) < 60
    epoch = [1970, "1970", "Thu Jan  1 00:00:00 1970", "1970-01-01T00:00:00+00:00"]
    assert shown["given"] == epoch
    days = {time.strftime("%Y-%m-%d", time.gmtime(t + SHIFT)) for t in (before, after)}
    assert shown["today"] in days
    assert shown["kinds"] == [True, True, False, True]


def test_command_that_runs_no_module():
    with pytest.raises(ValueError, match=r"only .* have a clock to shift, got 'x\.py'"):
        shifted((sys.executable, "x.py"), 1)
