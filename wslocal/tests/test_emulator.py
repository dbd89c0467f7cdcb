"""The emulator is a real child with enforced IAM, and leaves nothing behind."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from wslocal.emulator import ACCOUNT, Emulator, EmulatorError

pytestmark = pytest.mark.slow

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


def listeners(port: int) -> set[str]:
    """Return the local addresses on which something listens at `port`."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[1].endswith(f":{port:04X}")}


@pytest.mark.threat("local-run-open")
def test_emulator_listens_on_loopback_only(emulator):
    port = int(emulator.endpoint.rpartition(":")[2])

    assert listeners(port) == {"0100007F"}


def test_emulator_denies_what_a_role_does_not_allow(emulator):
    role = emulator.client("iam").create_role(
        RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]["Arn"]
    session = emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="reader")
    given = session["Credentials"]
    dynamodb = emulator.client(
        "dynamodb",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )

    with pytest.raises(ClientError) as denied:
        dynamodb.list_tables()

    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/reader" in str(denied.value)


@pytest.mark.parametrize("entered", ["Emulator() as e", "Emulator() as e, e.freeze()"])
def test_emulator_ends_with_a_parent_that_is_killed(entered):
    """Also one that is frozen."""
    script = (
        "import sys\nfrom wslocal.emulator import Emulator\n"
        f"with {entered}:\n    print(flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        parent.stdout.readline()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        lives = [os.pidfd_open(int(child)) for child in children]

        parent.send_signal(signal.SIGKILL)

    assert len(lives) == 2  # the emulator and its guard
    for life in lives:
        ended, _, _ = select.select([life], [], [], 10)
        assert ended
        os.close(life)


def test_end_of_the_emulator_is_one_sentence_and_a_stop_is_none():
    async def run(emulator):
        process = emulator._process.popen
        watching = asyncio.create_task(emulator.watch())
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)
        emulator.check()
        was_watching = not watching.done()
        process.kill()
        with pytest.raises(EmulatorError) as caught:
            await asyncio.wait_for(watching, 20)
        with pytest.raises(EmulatorError):
            emulator.check()
        return was_watching, str(caught.value)

    with Emulator() as emulator:
        was_watching, sentence = asyncio.run(run(emulator))

    assert was_watching
    assert sentence == "the AWS APIs have ended, with all that they kept (SIGKILL)"


def test_emulator_that_was_not_started_cannot_be_watched():
    with pytest.raises(EmulatorError, match="were not started"):
        asyncio.run(Emulator().watch())


def state_of(process):
    return Path(f"/proc/{process.popen.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_emulator_is_frozen_until_the_last_block_ends(emulator):
    process = emulator._process
    with emulator.freeze():
        with emulator.freeze():
            both = state_of(process)
        one = state_of(process)
    after = state_of(process)

    assert (both, one) == ("T", "T")
    assert after != "T"
    assert emulator.client("dynamodb").list_tables()["TableNames"] == []


def test_emulator_that_was_killed_can_neither_be_frozen_nor_killed():
    with Emulator() as emulator:
        emulator.kill()

        with pytest.raises(EmulatorError, match="the emulator does not run"):
            emulator.kill()
        with pytest.raises(EmulatorError, match="the emulator does not run"), emulator.freeze():
            pass


def test_emulator_may_be_killed_while_it_is_frozen():
    with Emulator() as emulator, emulator.freeze():
        emulator.kill()


def test_emulator_that_has_not_started_cannot_be_frozen():
    with pytest.raises(EmulatorError, match="the emulator does not run"), Emulator().freeze():
        pass


def test_users_own_profile_and_files_have_no_say(monkeypatch, tmp_path):
    broken = tmp_path / "config"
    broken.write_text("[no end")
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))

    with Emulator() as emulator:
        identity = emulator.client("sts").get_caller_identity()

    assert identity["Account"] == ACCOUNT
