"""Housekeeping runs every minute, and only EventBridge's rule may start it."""

from .test_functions import function_of


def test_housekeeping_runs_every_minute(dev):
    [(name, rule)] = dev.resources("Events::Rule").items()
    [target] = rule["Properties"]["Targets"]
    function = target["Arn"]["Fn::GetAtt"][0]
    [permission] = (
        row
        for row in dev.properties("Lambda::Permission")
        if row["Principal"] == "events.amazonaws.com"
    )

    assert rule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    assert rule["Properties"]["State"] == "ENABLED"
    assert dev.template["Resources"][function]["Properties"] == function_of(dev, "housekeeping")
    assert permission["FunctionName"]["Fn::GetAtt"][0] == function
    assert permission["SourceArn"] == {"Fn::GetAtt": [name, "Arn"]}


def test_failed_runs_are_left_to_the_next_one(dev):
    """By EventBridge, which delivers, and by Lambda, which runs what was delivered."""
    [rule] = dev.properties("Events::Rule")
    [asynchronous] = dev.properties("Lambda::EventInvokeConfig")

    assert rule["Targets"][0]["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 60,
        "MaximumRetryAttempts": 0,
    }
    assert asynchronous["MaximumRetryAttempts"] == 0
    assert asynchronous["MaximumEventAgeInSeconds"] == 60
