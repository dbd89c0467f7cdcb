import pytest

from broadcast.addresses import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::", "::/64"),
        ("", "unknown"),
        ("192.0.2.1\n", "unknown"),
        ("192.0.2.1\0", "unknown"),
        ("192.0.2", "unknown"),
        ("\ud800", "unknown"),
        ("192.0.2.1, 10.0.0.1", "unknown"),
    ],
)
def test_address_is_counted_by_its_subscriber(address, network):
    assert network_of(address) == network
