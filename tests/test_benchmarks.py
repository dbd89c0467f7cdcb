"""Every benchmark runs: a smoke run in this environment, without judging a single time.

Those that start dozens of processes run in `make long`; what they share with the others runs always.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def run(name: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", str(BENCHMARKS / name), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "name",
    [
        "audio_message.py",
        "control_message.py",
        "first_message.py",
        "log_line.py",
        "metrics.py",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in (
                "bytecode.py",
                "cold_import.py",
                "cold_start_parts.py",
                "dynamodb.py",
                "handler_cold_start.py",
            )
        ),
    ],
)
def test_benchmark_measures_ours_and_names_the_peers_it_lacks(name):
    """Each script first checks that its contenders do the same work, and exits if one does not."""
    done = run(name, "--quick", "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rows = [row for table in report["tables"] for row in table["rows"]]
    assert {row["contender"] for row in rows} & {
        "shared_utils",
        "shared_utils logger",
        "shared_utils modules",
        "as shipped",
        "the layer's modules",
    }
    assert all(row["median"] > 0 for row in rows)
    assert report["quick"] is True


def test_zip_size_judges_the_zip_and_the_source():
    done = run("zip_size.py", "--json")

    assert done.returncode == 0, done.stderr
    judged = [row["what"] for row in json.loads(done.stdout)["budgets"]]
    assert judged[0].startswith("zip for 3.11")
    assert judged[-1] == "source of the layer, bytes"


def test_report_says_in_words_what_was_met():
    done = run("control_message.py", "--quick")

    assert done.returncode == 0, done.stderr
    assert "shared_utils / json.loads alone" in done.stdout
    assert "smoke run" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("name", ["log_line.py", "metrics.py"])
def test_benchmark_writes_into_a_pipe_as_well(name):
    done = run(name, "--quick", "--json", "--pipe")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pipe"] is True


def test_functions_that_were_kept_as_a_contender_still_start(tmp_path):
    """With the layer of their time, built from its sources beside them."""
    with zipfile.ZipFile(BENCHMARKS / "contenders" / "botocore.zip") as kept:
        kept.extractall(tmp_path)
    names = ("SESSIONS", "CONNECTIONS", "RATE_LIMITS")
    start = "import json, handlers.session, shared_utils; print(shared_utils.__file__)"

    done = subprocess.run(
        [sys.executable, "-c", start],
        cwd=tmp_path / "functions",
        env={
            "PYTHONPATH": str(tmp_path / "shared-layer" / "python"),
            "API_GATEWAY_ENDPOINT": "https://example.execute-api.us-east-1.amazonaws.com/dev",
            "AWS_REGION": "us-east-1",
            **{f"{name}_TABLE_NAME": name for name in names},
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout
