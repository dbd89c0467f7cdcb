"""The table in the documentation is the list of the tests, and each row has a source."""

from wslocal.tests.conformance_table import CHOSEN, DOCUMENT, modules, replaced, table


def test_documented_behaviours_are_the_tests():
    document = DOCUMENT.read_text()

    assert document == replaced(document, table(modules()))


def test_every_conformance_test_is_a_behaviour_with_a_source():
    tests = {
        f"{module.__name__}.{name}": test
        for module in modules()
        for name, test in vars(module).items()
        if name.startswith("test_")
    }

    assert [name for name, test in tests.items() if not hasattr(test, "behaviour")] == []
    sources = {test.behaviour[1] for test in tests.values()} - {CHOSEN}
    assert {source[:8] for source in sources} == {"https://"}
