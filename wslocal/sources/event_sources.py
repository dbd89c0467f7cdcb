"""What invokes functions beside the API: which of it is played here, and which is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .project import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .resources import Resources

__all__ = ["check_event_source", "fit_event_source"]

_MAPPING = "AWS::Lambda::EventSourceMapping"
_RULE = "AWS::Events::Rule"
# Sources whose messages are played, by type and by the service in an ARN.
_PLAYED_TYPES = {"AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"}
_PLAYED_SERVICES = {"sqs", "dynamodb"}
# The emulator's CloudFormation forgets these, so that `wslocal.events` cannot refuse them.
_MAPPING_NOT_PLAYED = ("TumblingWindowInSeconds", "ProvisionedPollerConfig", "KmsKeyArn")
# What a property that names functions makes of its resource: the sentence's subject.
_TRIGGERS = {
    ("AWS::S3::Bucket", "NotificationConfiguration"): "notifications of a bucket",
    ("AWS::Cognito::UserPool", "LambdaConfig"): "triggers of a user pool",
    ("AWS::SNS::Topic", "Subscription"): "subscriptions of functions to topics",
}
# What is refused if it leads to a function, by the property that says so.
_LEADS = {
    "AWS::SNS::Subscription": ("Endpoint", "subscriptions of functions to topics"),
    "AWS::Logs::SubscriptionFilter": ("DestinationArn", "functions that read log groups"),
    "AWS::Scheduler::Schedule": ("Target", "schedules of EventBridge Scheduler"),
    "AWS::IoT::TopicRule": ("TopicRulePayload", "rules of IoT"),
}
_NEVER = {
    "AWS::Pipes::Pipe": "pipes of EventBridge",
    "AWS::StepFunctions::StateMachine": "state machines",
    "AWS::CloudFormation::Stack": "nested stacks",
}


def check_event_source(name: str, resource: dict[str, Any], resources: Resources) -> str | None:
    """Return why a resource is left out, None if it is not; ProjectError for what is not played."""
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind in _NEVER:
        raise _not_played(name, _NEVER[kind], name)
    if kind in _LEADS:
        key, what = _LEADS[kind]
        if _names_function(properties.get(key), resources):
            raise _not_played(name, what, name)
    for (of, key), what in _TRIGGERS.items():
        if kind == of and _names_function(properties.get(key), resources):
            raise _not_played(name, what, f"{name}.{key}")
    if kind == _MAPPING:
        return _check_mapping(name, resource, resources)
    if kind == _RULE:
        return _check_rule(name, resource, resources)
    return None


def _names_function(value: Any, resources: Resources) -> bool:
    """Return whether a value has the ARN of a function in it, at any depth."""
    if isinstance(value, list):
        return any(_names_function(one, resources) for one in value)
    if isinstance(value, dict) and not ({"Ref", "Fn::GetAtt"} & value.keys()):
        return any(_names_function(one, resources) for one in value.values())
    return value is not None and resources.leads_to_function(value)


def _check_mapping(name: str, resource: dict[str, Any], resources: Resources) -> str | None:
    properties = resource.get("Properties", {})
    if _is(resources.value(resource, "Enabled"), "false"):
        return "it is disabled in the template"
    source = properties.get("EventSourceArn")
    kind, arn = resources.type_of(source), resources.values.value(source)
    service = arn.split(":")[2] if isinstance(arn, str) and arn.startswith("arn:") else None
    other_kind = kind is not None and kind not in _PLAYED_TYPES
    other_service = service is not None and service not in _PLAYED_SERVICES
    if source is None or other_kind or other_service:
        what = kind or service or "a broker"
        raise _not_played(name, f"events of {what}", name)
    for key in _MAPPING_NOT_PLAYED:
        if resources.chosen(properties.get(key)) not in (None, 0, {"Ref": "AWS::NoValue"}):
            raise _not_played(name, f"{key} of event sources", f"{name}.{key}", verb="is")
    return None


def _check_rule(name: str, resource: dict[str, Any], resources: Resources) -> str | None:
    properties = resource.get("Properties", {})
    if resources.value(resource, "State") == "DISABLED":
        return "it is disabled in the template"
    targets = [target.get("Arn") for target in properties.get("Targets") or []]
    if not _names_function(targets, resources):
        return None
    schedule = resources.value(resource, "ScheduleExpression")
    if isinstance(schedule, str) and not schedule.startswith("rate("):
        return f"schedules are followed as rate(...), and it has {schedule}"
    if "ScheduleExpression" not in properties:
        raise _not_played(name, "rules for events that invoke functions", name)
    return None


def _not_played(name: str, what: str, left_out: str, *, verb: str = "are") -> ProjectError:
    return ProjectError(f"{name}: {what} {verb} not played; --leave-out {left_out} to do without")


def fit_event_source(resource: dict[str, Any], resources: Resources) -> None:
    """Have the emulator leave alone what is played here: it would run functions with a worker of its own."""
    properties = resource.setdefault("Properties", {})
    if resource["Type"] == _MAPPING:
        properties["Enabled"] = False
        for key, default in _mapping_defaults(is_stream="StartingPosition" in properties):
            properties.setdefault(key, default)
    elif resource["Type"] == _RULE and "ScheduleExpression" in properties:
        targets = [target.get("Arn") for target in properties.get("Targets") or []]
        if _names_function(targets, resources):
            properties["State"] = "DISABLED"


def _mapping_defaults(*, is_stream: bool) -> Iterator[tuple[str, Any]]:
    """Yield what holds for a mapping that does not say it: the emulator leaves what an update says no more.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
    """
    yield from {
        "DestinationConfig": {},
        "FilterCriteria": {},
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "ScalingConfig": {},
    }.items()
    if is_stream:
        yield from {
            "BatchSize": 100,
            "BisectBatchOnFunctionError": False,
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
        }.items()
    else:
        yield "BatchSize", 10


def _is(value: object, text: str) -> bool:
    return str(value).lower() == text
