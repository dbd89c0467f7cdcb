"""The page in Firefox, with a real microphone and a real output: who listens hears who speaks."""

from __future__ import annotations

import pytest

from tests.page_faults.sound import until
from tests.page_faults.voice import chirps_in, delays

ENOUGH = 8


@pytest.mark.parametrize("stage", ["Firefox"], indirect=True)
def test_listener_hears_the_speaker(stage):
    with stage.session():
        stage.listen(stage.speak())
        with stage.recorded() as ([mouth], ear):

            def heard():
                return delays(chirps_in(*mouth.timeline()), chirps_in(*ear.timeline()))

            until(lambda: len(heard()) >= ENOUGH, 30, pause=0.5)
        [broadcast] = stage.participant("listener").tab.shown("#listen-broadcast")

    assert broadcast == "Live."
