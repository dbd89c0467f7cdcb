"""The tracing header counts how often a chain of invocations came by a function."""

from wslocal.events.lineage import passed_on

ONE, OTHER = "arn:aws:lambda:us-east-1:0:function:one", "arn:aws:lambda:us-east-1:0:function:other"


def test_first_round_begins_a_trace():
    header, rounds = passed_on("", ONE)

    assert rounds == 1
    assert header.startswith("Root=1-")
    assert header.count(";") == 2
    assert header.endswith(":1")


def test_each_function_is_counted_by_itself():
    header = "Root=1-a-b;Parent=c;Sampled=1"

    header, first = passed_on(header, ONE)
    header, other = passed_on(header, OTHER)
    header, second = passed_on(header, ONE)

    assert (first, other, second) == (1, 1, 2)
    assert header.startswith("Root=1-a-b;Parent=c;Sampled=1;Lineage=")


def test_header_that_an_sdk_has_quoted():
    header, _ = passed_on("", ONE)

    assert passed_on(header.replace("|", "%7C").replace(";", "%3B"), ONE)[1] == 2


def test_nonsense_counts_as_none():
    header, rounds = passed_on("x;=;Lineage=a:b|:3|c", ONE)

    assert rounds == 1
    assert header.split("Lineage=")[1].count(":") == 1
