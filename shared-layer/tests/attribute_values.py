"""Items that DynamoDB takes, generated: every type, at several levels."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INTEGERS = st.integers(-(10**38) + 1, 10**38 - 1)
DECIMALS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=38).map(tuple),
    st.integers(-120, 88),
).filter(lambda number: not number or -128 <= number.adjusted() <= 125)
BINARY = st.binary(max_size=20)
SCALARS = st.one_of(st.none(), st.booleans(), TEXTS, INTEGERS, DECIMALS, BINARY)
SETS = st.one_of(
    *(st.sets(members, min_size=1, max_size=4) for members in (TEXTS, INTEGERS, DECIMALS, BINARY))
)
VALUES = st.recursive(
    SCALARS | SETS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
ITEMS = st.dictionaries(NAMES.filter(bool), VALUES, max_size=8)
