"""Which fault is met by what, how often, and what cannot be."""

import errno
import json

import pytest

from wslocal.fault_kinds import FaultError
from wslocal.faults import Faults


class Socket:
    """Keeps what it is asked for."""

    def __init__(self):
        self.calls = []

    def hold(self):
        self.calls.append("hold")

    def release(self):
        self.calls.append("release")

    def abort(self):
        self.calls.append("abort")


class Connection:
    def __init__(self):
        self.socket = Socket()


@pytest.fixture
def connections():
    return {"A=": Connection(), "B=": Connection()}


@pytest.fixture
def faults(connections):
    faults = Faults(connections)
    faults.has_relay = True
    return faults


def call(**members):
    return json.dumps(members).encode()


# --- posts ----------------------------------------------------------------------------------------


def test_every_third_post_meets_the_fault(faults):
    with faults.posts(429, every=3) as fault:
        met = [faults.of_post("A=") is fault for _ in range(7)]

    assert met == [False, False, True, False, False, True, False]
    assert fault.hits == 2
    assert faults.of_post("A=") is None


def test_posts_to_other_connections_are_not_counted(faults):
    with faults.posts(410, every=2, to=["A="]) as fault:
        met = [faults.of_post(one) is fault for one in ("A=", "B=", "B=", "A=")]

    assert met == [False, False, False, True]


def test_of_two_faults_the_older_one_is_met(faults):
    with faults.posts(500, to=["A="]) as older, faults.posts(None) as newer:
        assert faults.of_post("A=") is older
        assert faults.of_post("B=") is newer

    assert older.ended.is_set()
    assert newer.ended.is_set()


def test_fault_ends_with_a_block_that_raises(faults):
    with pytest.raises(KeyError), faults.posts(500):
        raise KeyError

    assert faults.of_post("A=") is None


# --- connections ----------------------------------------------------------------------------------


def test_client_reads_again_after_the_block(faults, connections):
    with faults.stop_reading("A="):
        assert connections["A="].socket.calls == ["hold"]
    with faults.stop_reading("A="):
        pass

    assert connections["A="].socket.calls == ["hold", "release"] * 2
    assert connections["B="].socket.calls == []


def test_socket_is_cut(faults, connections):
    faults.cut("B=")

    assert connections["B="].socket.calls == ["abort"]


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(call(TableName="Things"), id="item"),
        pytest.param(call(TableName="arn:aws:dynamodb:eu-west-1:1:table/Things"), id="arn"),
        pytest.param(
            call(TableName="arn:aws:dynamodb:eu-west-1:1:table/Things/index/i"), id="arn-of-index"
        ),
        pytest.param(call(RequestItems={"Others": [], "Things": []}), id="batch"),
        pytest.param(
            call(
                TransactItems=[{"Put": {"TableName": "Others"}}, {"Get": {"TableName": "Things"}}]
            ),
            id="transaction",
        ),
    ],
)
def test_call_is_about_the_table(faults, body):
    with faults.table("Things", error="ThrottlingException") as fault:
        assert faults.of_call(body) is fault


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(call(TableName="Thing"), id="another"),
        pytest.param(call(TableName=5), id="no-name"),
        pytest.param(call(RequestItems=["Things"]), id="no-batch"),
        pytest.param(call(TransactItems=["Things", {"Put": "Things"}]), id="no-transaction"),
        pytest.param(b'["Things"]', id="no-object"),
        pytest.param(b"Things", id="no-json"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_call_is_about_no_or_another_table(faults, body):
    with faults.table("Things", error="ThrottlingException"):
        assert faults.of_call(body) is None
    with faults.table(None, error="ThrottlingException") as any_table:
        assert faults.of_call(body) is any_table


# --- clocks and the disk --------------------------------------------------------------------------


def test_shifts_add_up_and_end(faults):
    with faults.request_time(-3), faults.request_time(0.5), faults.function_clock(600):
        meanwhile = faults.request_time_shift, faults.clock_shift

    assert meanwhile == (-2.5, 600)
    assert (faults.request_time_shift, faults.clock_shift) == (0, 0)


def test_disk_is_full_for_the_block(faults):
    with faults.no_space() as fault, pytest.raises(OSError, match="No space left") as caught:
        faults.write_code()
    faults.write_code()

    assert caught.value.errno == errno.ENOSPC
    assert fault.hits == 1


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "message"),
    [
        (lambda f: f.posts(418), r"answer to a post must be 410, 429, 500 or nothing, got 418"),
        (lambda f: f.posts(429, every=0), r"every must be an integer from 1, got 0"),
        (lambda f: f.posts(429, every=True), r"every must be an integer from 1, got True"),
        (lambda f: f.posts(429, to=["C="]), r"no connection 'C=' is open: open are A=, B="),
        (lambda f: f.stop_reading("C="), r"no connection 'C=' is open"),
        (
            lambda f: f.table("T", delay_seconds=-1),
            r"delay_seconds must be a number from 0 to 3600",
        ),
        (lambda f: f.table("T", delay_seconds=float("nan")), r"delay_seconds must be .*, got nan"),
        (lambda f: f.table("T"), r"a fault of a table needs a delay or an error"),
        (lambda f: f.table("T", error="Oops"), r"the error must be one of .*refuse, got 'Oops'"),
        (lambda f: f.request_time("1"), r"seconds must be a number from .*, got '1'"),
        (lambda f: f.function_clock(float("inf")), r"seconds must be a number from .*, got inf"),
    ],
)
def test_fault_that_cannot_be(faults, begin, message):
    with pytest.raises(FaultError, match=message), begin(faults):
        pass


def test_connection_that_has_stopped_reading_already(faults, connections):
    with (
        faults.stop_reading("A="),
        pytest.raises(FaultError, match="'A=' has stopped reading already"),
        faults.stop_reading("A="),
    ):
        pass

    assert connections["A="].socket.calls == ["hold", "release"]


def test_no_connection_and_no_relay():
    faults = Faults({})

    with pytest.raises(FaultError, match="no connection 'A=' is open: none is open"):
        faults.cut("A=")
    with (
        pytest.raises(FaultError, match="do not reach DynamoDB"),
        faults.table(None, error="refuse"),
    ):
        pass


def test_only_the_first_of_many_connections_are_named():
    faults = Faults({f"{n}=": Connection() for n in range(12)})

    with pytest.raises(FaultError, match=r"9= and 2 more"):
        faults.cut("A=")
