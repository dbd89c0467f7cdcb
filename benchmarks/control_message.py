"""What does it cost to parse and check a small control message, and to refuse a bad one?

The message is `setVolume`: an action that must be known, a volume that must be a number from 0 to
1. All but plain `json.loads` check both, and refuse the bad one with their own error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from _harness import Budget, Report, become_lambda, build, fail, parse_options, time_calls
from _samples import control_event

GOOD, BAD = control_event(0.8), control_event(1.5)
QUESTION = "setVolume, parse and check"


@dataclass(frozen=True)
class Parser:
    """How a contender reads an event, and what it raises for a bad one."""

    parse: Callable[[dict[str, Any]], Any]
    volume: Callable[[Any], Any]
    error: type[Exception] | None  # None: it checks nothing


def _attribute(message: Any) -> Any:
    return message.volumeLevel


def ours() -> Parser:
    from shared_utils.validators import ValidationError
    from shared_utils.websocket_messages import parse_body

    return Parser(lambda event: parse_body(event["body"]), _attribute, ValidationError)


def plain_json() -> Parser:
    return Parser(
        lambda event: json.loads(event["body"]), lambda message: message["volumeLevel"], None
    )


def _set_volume() -> Any:
    from pydantic import BaseModel, Field

    class SetVolume(BaseModel):
        action: Literal["setVolume"]
        volumeLevel: Annotated[float, Field(ge=0.0, le=1.0, strict=True)]
        sessionId: str | None = None
        requestId: Annotated[str, Field(max_length=128)] | None = None

    # Annotations are text here, and the names they use are local to this function.
    SetVolume.model_rebuild(_types_namespace={**globals(), "Field": Field})
    return SetVolume


def pydantic() -> Parser:
    from pydantic import ValidationError

    model = _set_volume()
    return Parser(
        lambda event: model.model_validate_json(event["body"]), _attribute, ValidationError
    )


def powertools_envelope() -> Parser:
    from aws_lambda_powertools.utilities.parser import ValidationError, envelopes, parse

    model = _set_volume()
    envelope = envelopes.ApiGatewayWebSocketEnvelope
    return Parser(
        lambda event: parse(event, model=model, envelope=envelope), _attribute, ValidationError
    )


def msgspec() -> Parser:
    from msgspec import Meta, Struct, ValidationError, defstruct
    from msgspec.json import Decoder

    # A struct's tag is how msgspec tells messages apart by `action`.
    model = defstruct(
        "SetVolume",
        [
            ("volumeLevel", Annotated[float, Meta(ge=0.0, le=1.0)]),
            ("sessionId", str | None, None),
            ("requestId", Annotated[str, Meta(max_length=128)] | None, None),
        ],
        bases=(Struct,),
        tag_field="action",
        tag="setVolume",
    )
    decoder: Any = Decoder(model)
    return Parser(lambda event: decoder.decode(event["body"]), _attribute, ValidationError)


CONTENDERS = {
    "shared_utils": ours,
    "json.loads alone": plain_json,
    "pydantic": pydantic,
    "msgspec": msgspec,
    "powertools envelope": powertools_envelope,
}
BUDGETS = [
    Budget("shared_utils", "json.loads alone", 1.3),
    Budget("shared_utils", "powertools envelope", 1 / 5),
]


def check(name: str, parser: Parser) -> None:
    if (volume := parser.volume(parser.parse(GOOD))) != 0.8:
        fail(f"{name} reads {volume} for 0.8")
    if parser.error:
        for bad in (
            BAD,
            control_event(True),
            control_event("0.8"),
            {**GOOD, "body": '{"action":"x"}'},
        ):
            try:
                parser.parse(bad)
            except parser.error:
                continue
            fail(f"{name} takes {bad['body']}")


def refusing(parser: Parser) -> Callable[[], None]:
    parse, error = parser.parse, parser.error or ()

    def call() -> None:
        try:
            parse(BAD)
        except error:
            pass

    return call


def main() -> None:
    options = parse_options(__doc__ or "")
    become_lambda()
    report = Report("A control message", options)
    built, missing = build(CONTENDERS)
    for name, parser in built.items():
        check(name, parser)
    samples = time_calls({name: _parsing(parser.parse) for name, parser in built.items()}, options)
    report.add(QUESTION, samples, "shared_utils")
    report.check(QUESTION, samples, *BUDGETS)
    checking = {name: refusing(parser) for name, parser in built.items() if parser.error}
    report.add("setVolume of 1.5, refused", time_calls(checking, options), "shared_utils")
    report.missing(missing)
    report.print()


def _parsing(parse: Callable[[dict[str, Any]], Any]) -> Callable[[], object]:
    return lambda: parse(GOOD)


if __name__ == "__main__":
    main()
