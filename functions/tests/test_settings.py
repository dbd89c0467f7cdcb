import pytest

from broadcast.settings import audio_chunks_per_second
from shared_utils.error_codes import ApplicationError, ErrorCode


@pytest.mark.parametrize(
    ("environ", "rate"),
    [
        pytest.param({}, 50, id="absent"),
        pytest.param({"RATE_LIMIT_AUDIO_CHUNKS": ""}, 50, id="empty"),
        pytest.param({"RATE_LIMIT_AUDIO_CHUNKS": " 20 "}, 20, id="spaces"),
        pytest.param({"RATE_LIMIT_AUDIO_CHUNKS": "1"}, 1, id="lowest"),
        pytest.param({"RATE_LIMIT_AUDIO_CHUNKS": "10000"}, 10_000, id="highest"),
    ],
)
def test_rate_is_read(environ, rate):
    assert audio_chunks_per_second(environ) == rate


@pytest.mark.parametrize(
    "text", ["0", "10001", "-1", "1.5", "1e3", "fifty", "\u0665\u0660", "1_000", "9" * 5000]
)
def test_rate_that_cannot_be_read_stops_the_start_and_names_the_variable(text):
    with pytest.raises(ApplicationError) as caught:
        audio_chunks_per_second({"RATE_LIMIT_AUDIO_CHUNKS": text})

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert str(caught.value).startswith(
        "RATE_LIMIT_AUDIO_CHUNKS must be a whole number from 1 to 10000, got '"
    )
    assert len(str(caught.value)) < 120
