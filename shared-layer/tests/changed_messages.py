"""Values that tell a message's readers apart: edges, look-alikes, and anything that JSON can hold."""

from __future__ import annotations

from hypothesis import strategies as st

INTERESTING = [
    None, True, False, 0, 1, -1, 0.5, 1.0, 3.0, 3.5, -0.0, 0.69, 0.7, 0.95, 0.951, 2.0, 10, 10.01, 8000, 16000.0,
    44100, 2**53 - 1, 2**53, 2.0**53, 9.999999999999998e125, 1e126, 1e-131, 1e300, "", "x", "x" * 128, "x" * 129, "\U0001f600" * 128, "\U0001f600" * 129, "\ud800", "golden-eagle-427",
    "golden-eagle-427\n", "Golden-eagle-427", "a-b-" + "\u0660" * 3, "a" * 1022 + "-" + "b" * 1021 + "-123",
    "a" * 1022 + "-" + "b" * 1022 + "-123", "en", "EN-us", "eN-LATN-001", "en_US", "xx", "ast", "CKB-IQ", "en\n",
    "en-", "zh-Hans-CN", "fil", "standard", "premium", "gold", "pcm_mulaw", "speaker", "any", "critical", "echo",
    "periodic", "SESSION_NOT_FOUND", "SESSION_FULL", "A" * 132, "A" * 135 + "=", "A" * 134 + "==", "B" * 134 + "==",
    "B" * 135 + "=", "A" * 136, "A" * 32000, "A" * 31998 + "==", "A" * 32004, "A" * 135, "A" * 139 + "-", [], {},
    {"de": 1, "EN-us": 2.0}, {"xx": 1}, {"de": -1}, {"de": True}, {"isPaused": True}, {"isPaused": 1}, {"volume": 2},
    {"other": 1}, {"encoding": "pcm_mulaw", "more": None}, {"sampleRate": 8000.0}, {"sampleRate": 1}, {"channels": True},
    {"channels": None}, {"isPaused": True, "isMuted": False, "volume": 0}, {"isPaused": True, "isMuted": False},
]  # fmt: skip
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)
