"""Which refusals have a line: the first of each kind and network in its minute."""

import pytest

from quiet_lines import QuietLines, network_of


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


def test_line_a_minute_stands_for_all_since_the_last_one():
    clock = Clock()
    lines, counts = QuietLines(clock), []

    for seconds in (0, 0, 59.9, 60, 60, 179):
        clock.now = 1_000_000.0 + seconds
        counts.append(lines.count("expired", "192.0.2.1"))

    assert counts == [1, 0, 0, 3, 0, 2]


def test_each_kind_and_each_network_has_its_own():
    lines = QuietLines(Clock())

    pairs = [(kind, network) for kind in "ab" for network in "xy"]

    assert [lines.count(*pair) for pair in pairs] == [1, 1, 1, 1]
    assert [lines.count(*pair) for pair in pairs] == [0, 0, 0, 0]


def test_clock_that_was_set_back_silences_nothing():
    clock = Clock()
    lines = QuietLines(clock)
    lines.count("expired", "192.0.2.1")

    clock.now -= 1

    assert lines.count("expired", "192.0.2.1") == 1


@pytest.mark.threat("refused-flood")
def test_ten_thousand_are_remembered_and_then_the_oldest_is_forgotten():
    lines = QuietLines(Clock())
    for n in range(10_000):
        lines.count("expired", f"network {n}")

    assert lines.count("expired", "network 0") == 0
    lines.count("expired", "one more")
    assert lines.count("expired", "network 1") == 0
    assert lines.count("expired", "network 0") == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("localhost", "unknown"),
        ("192.0.2.1\n", "unknown"),
        (None, "unknown"),
        (3221225985, "unknown"),
    ],
)
def test_network_is_what_one_subscriber_has(address, network):
    assert network_of(address) == network
