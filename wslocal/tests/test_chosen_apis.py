"""Which APIs and stages run, by what a person chooses and what the project has."""

from __future__ import annotations

import pytest

from wslocal.deployment import DeployedApi
from wslocal.run_options import RunOptions, chosen_apis, following
from wslocal.settings import SettingError

ECHO = DeployedApi("echo", "e1", ("live",))
QUIZ = DeployedApi("quiz", "q1", ("dev", "live"))
NEWS = DeployedApi("news", "n1", ())


@pytest.mark.parametrize(
    ("apis", "options", "chosen"),
    [
        pytest.param([ECHO], RunOptions(), [(ECHO, "live")], id="only-one"),
        pytest.param([ECHO, QUIZ], RunOptions(apis=("echo",)), [(ECHO, "live")], id="one"),
        pytest.param(
            [ECHO, QUIZ],
            RunOptions(apis=("all",), stage="live"),
            [(ECHO, "live"), (QUIZ, "live")],
            id="all",
        ),
        pytest.param([QUIZ], RunOptions(stage="dev"), [(QUIZ, "dev")], id="stage"),
    ],
)
def test_chosen(apis, options, chosen):
    assert chosen_apis(apis, options) == chosen


@pytest.mark.parametrize(
    ("apis", "options", "sentence"),
    [
        pytest.param(
            [ECHO, QUIZ],
            RunOptions(),
            "the project has 2 WebSocket APIs: choose with --api one of echo, quiz, or all",
            id="left-open",
        ),
        pytest.param(
            [ECHO, QUIZ],
            RunOptions(apis=("news",)),
            "there is no WebSocket API news: the project has echo, quiz",
            id="no-such-api",
        ),
        pytest.param(
            [ECHO], RunOptions(stage="prod"), "echo has no stage prod: it has live", id="no-stage"
        ),
        pytest.param(
            [QUIZ],
            RunOptions(),
            "quiz has 2 stages (dev, live): choose one with --stage",
            id="stage-left-open",
        ),
        pytest.param(
            [NEWS],
            RunOptions(),
            "news has no stage, and clients connect to one: add an AWS::ApiGatewayV2::Stage to the template",
            id="without-a-stage",
        ),
    ],
)
def test_choice_that_cannot_be(apis, options, sentence):
    with pytest.raises(SettingError) as caught:
        chosen_apis(apis, options)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(("port", "number", "own"), [(8000, 2, 8002), (0, 2, 0)])
def test_ports_of_several_apis_follow_each_other(port, number, own):
    assert following(port, number) == own
