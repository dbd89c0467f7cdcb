"""The table in the documentation is the list of the tests, and each row has a source."""

from wslocal.tests import test_conformance
from wslocal.tests.conformance_table import CHOSEN, DOCUMENT, replaced, table


def test_documented_behaviours_are_the_tests():
    document = DOCUMENT.read_text()

    assert document == replaced(document, table(test_conformance))


def test_every_conformance_test_is_a_behaviour_with_a_source():
    tests = {
        name: test for name, test in vars(test_conformance).items() if name.startswith("test_")
    }

    assert [name for name, test in tests.items() if not hasattr(test, "behaviour")] == []
    sources = {test.behaviour[1] for test in tests.values()} - {CHOSEN}
    assert {source[:8] for source in sources} == {"https://"}
