"""Alarms, with a topic that they tell, and a dashboard.

Our handlers answer a failure instead of dying of it, so Lambda's own error count stays at zero
while clients get INTERNAL_SERVER_ERROR: what a client saw is in the metrics that the layer writes.
Alarms watch their roll-ups, which have no dimension, and for the errors the series of each code.
They page for outages and defects: what clients can bring about, by mistake or on purpose, such as
refusals, too many requests and sockets that nobody reads, is on the dashboard.
What to do about each alarm is in docs/operations.md, under the alarm's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infrastructure.authorizer import AUTHORIZER, TIMEOUT_SECONDS
from infrastructure.function_specs import COUNTED, HOUSEKEEPING
from infrastructure.names import SYSTEM, encryption_key, metrics_namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infrastructure.api import WebSocketApi
    from infrastructure.settings import StageSettings

__all__ = ["Monitoring"]

_PERIOD = cdk.Duration.minutes(5)

# Codes that tell of our own fault, not of what a client sent.
_INTERNAL = {
    "INTERNAL_SERVER_ERROR": "A handler failed in a way that nobody foresaw",
    "INTERNAL_CONFIGURATION_ERROR": "A function lacks a right or a setting",
}

# DynamoDB's codes for a write that comes too fast. A session is one item, of which a partition writes
# 1,000 KB a second, so that its own listeners can bring these about: they are on the dashboard.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
_TOO_FAST = {
    "throughput": "ProvisionedThroughputExceededException",
    "throttling": "ThrottlingException",
    "requests": "RequestLimitExceeded",
    "conflicts": "TransactionConflictException",
}

# Why a message did not reach a listener, and how often that may be in five minutes. That somebody is
# gone, or does not read, is no failure of ours; `shared_utils.connections` has these kinds.
_UNREACHED = {
    "failed": ("Listeners miss audio: their messages could not be delivered", 100),
    "forbidden": ("A function may not send to clients", 0),
}

# Above every wait that a client can cause by not reading. A control message posts to the listeners for
# a second and 1 ms a listener, and its reply for half a second; a chunk reads the session for 200 ms,
# posts for half a second, and may close a connection for as long. What takes longer breaks a limit of
# ours, or the functions have too little CPU.
_SLOW_MESSAGE_MS = 3000
_SLOW_CHUNK_MS = 1500


# By this action the authorizer counts what it answers: authorizer/token_authorizer.py.
_AUTHORIZE = "authorize"


def _beyond(all_errors: str, expected: str, tolerated: float) -> str:
    """Return how many errors there are beyond those expected, if it is more than a part of these; else 0."""
    return (
        f"IF({all_errors} > {1 + tolerated:g} * FILL({expected}, 0), "
        f"{all_errors} - FILL({expected}, 0), 0)"
    )


class Monitoring(Construct):
    """Watches one stage."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StageSettings,
        functions: Mapping[str, lambda_.Function],
        authorizer: lambda_.Function | None,
        api: WebSocketApi,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._functions, self._api = settings, functions, api
        self._authorizer = authorizer
        self._namespace = metrics_namespace(settings)
        self.topic = self._topic(settings.alarm_email)
        self._alarms()
        self._dashboard()

    # --- alarms ----------------------------------------------------------------------------------

    def _alarms(self) -> None:
        for code, meaning in _INTERNAL.items():
            self._alarm(
                code.lower().replace("_", "-"),
                f"{meaning}; clients were told {code}",
                self._ours("MessageFailures", ErrorCode=code),
                above=0,
            )
        too_fast = f"({' + '.join(f'FILL({name}, 0)' for name in _TOO_FAST)})"
        self._alarm(
            "internal-database-error",
            "DynamoDB failed, and not because an item was written too fast",
            cloudwatch.MathExpression(
                # Twice: a call that is throttled until its time is over may end with another code.
                expression=f"IF(failures > 2 * {too_fast}, failures - {too_fast}, 0)",
                using_metrics={
                    "failures": self._ours("MessageFailures", ErrorCode="INTERNAL_DATABASE_ERROR"),
                    **{
                        name: self._ours("DynamoDBErrors", ErrorCode=code)
                        for name, code in _TOO_FAST.items()
                    },
                },
                period=_PERIOD,
            ),
            above=0,
        )
        self._alarm(
            "slow-messages",
            "One message in a hundred takes longer than three seconds",
            self._ours("MessageLatency", statistic="p99"),
            above=_SLOW_MESSAGE_MS,
            periods=3,
        )
        self._alarm(
            "slow-audio",
            "One chunk in twenty takes longer than a second and a half to go out",
            self._ours("AudioProcessingLatency", statistic="p95"),
            above=_SLOW_CHUNK_MS,
            periods=3,
        )
        for kind, (meaning, above) in _UNREACHED.items():
            self._alarm(
                f"listeners-{kind}",
                meaning,
                self._ours("ListenerNotificationFailures", ErrorType=kind),
                above=above,
            )
        for module, function in self._functions.items():
            self._alarm(
                f"{module}-errors",
                f"{function.function_name} died, was killed after its time, or could not start",
                function.metric_errors(period=_PERIOD),
                above=0,
            )
        if self._authorizer is not None:
            self._authorizer_alarm(self._authorizer)
        self._alarm(
            "housekeeping-missing",
            "Housekeeping ran less than three times in five minutes",
            self._functions[HOUSEKEEPING].metric_invocations(period=_PERIOD),
            below=3,
        )
        self._alarm(
            "gateway-errors",
            "API Gateway could not call a function, and not because too many were running",
            cloudwatch.MathExpression(
                # A twentieth, and two periods in a row: the two are counted by two services at moments
                # and delivered at others, which only the latest period has not yet made good.
                expression=_beyond("errors", "throttled", 0.05),
                using_metrics={
                    "errors": self._gateway("ExecutionError"),
                    "throttled": self._throttles(),
                },
                period=_PERIOD,
            ),
            above=0,
            periods=2,
        )

    def _authorizer_alarm(self, authorizer: lambda_.Function) -> None:
        """Page when the authorizer dies or cannot start; what it answers is not counted.

        API Gateway learns of a refusal by an exception, which Lambda counts as an error. The authorizer
        counts each of them too, by its code, and those of an outage have the alarms of their codes.

        Lambda counts a call when it begins, the authorizer when it has answered: a call of the time limit's
        length, at the end of a period, is found in the next. So a period may have as large a part of its
        refusals too few as the limit is of the period, and crashes beyond that part are seen however many
        tokens are refused. Two periods in a row: the latest may lack what was not yet delivered.
        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        self._alarm(
            f"{AUTHORIZER}-errors",
            f"{authorizer.function_name} died, was killed after its time, or could not start",
            cloudwatch.MathExpression(
                expression=_beyond("errors", "answered", TIMEOUT_SECONDS / _PERIOD.to_seconds()),
                using_metrics={
                    "errors": authorizer.metric_errors(period=_PERIOD),
                    "answered": self._ours("MessageFailures", ActionType=_AUTHORIZE),
                },
                period=_PERIOD,
            ),
            above=0,
            periods=2,
        )

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        above: float | None = None,
        below: float | None = None,
        periods: int = 1,
    ) -> None:
        """Add an alarm on `metric`; one that looks for too little takes silence as too little."""
        comparison = cloudwatch.ComparisonOperator
        missing = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            alarm_name=f"{SYSTEM}-{self._settings.stage}-{name}",
            alarm_description=f"{description}. See docs/operations.md, {name}.",
            metric=metric,
            threshold=(above if below is None else below) or 0,
            comparison_operator=comparison.GREATER_THAN_THRESHOLD
            if below is None
            else comparison.LESS_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=missing.NOT_BREACHING if below is None else missing.BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))

    def _topic(self, email: str) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Alarms",
            topic_name=f"{SYSTEM}-{self._settings.stage}-alarms",
            enforce_ssl=True,
            master_key=encryption_key(self, self._settings),
        )
        # A topic with a policy of its own has lost the one that lets the account's alarms in.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            )
        )
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    # --- metrics ---------------------------------------------------------------------------------

    def _ours(self, name: str, statistic: str = "Sum", **dimensions: str) -> cloudwatch.Metric:
        """Return a metric that is declared; another name raises `KeyError`."""
        _, *sets = COUNTED[name]
        if dimensions and tuple(dimensions) not in sets:
            raise ValueError(f"{name} goes out by {sets}, not by {tuple(dimensions)}")
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map=dimensions or None,
            statistic=statistic,
            period=_PERIOD,
            label=" ".join([name, *dimensions.values()]) if dimensions else name,
        )

    def _gateway(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ApiGateway",
            metric_name=name,
            dimensions_map={"ApiId": self._api.api_id, "Stage": self._api.stage},
            statistic=statistic,
            period=_PERIOD,
        )

    def _throttles(self) -> cloudwatch.Metric:
        """Return how often Lambda did not start a function, of the whole account: its functions share what there is."""
        return cloudwatch.Metric(
            namespace="AWS/Lambda", metric_name="Throttles", statistic="Sum", period=_PERIOD
        )

    # --- dashboard -------------------------------------------------------------------------------

    def _dashboard(self) -> None:
        functions = [*self._functions.values(), *([self._authorizer] if self._authorizer else [])]
        rows = {
            "Messages": [
                self._ours("MessageLatency", statistic="SampleCount"),
                self._ours("MessageFailures"),
                self._ours("RateLimitViolations"),
            ],
            "Milliseconds a message": [
                self._ours("MessageLatency", statistic=statistic)
                for statistic in ("p50", "p95", "p99")
            ],
            "Failures by code": [self._split("MessageFailures", "ErrorCode")],
            "Audio": [self._ours("AudioChunksReceived"), self._ours("AudioChunksDropped")],
            "Milliseconds a chunk": [
                self._ours("AudioProcessingLatency", statistic=statistic)
                for statistic in ("p50", "p95", "p99")
            ],
            "Listeners not reached, by why": [
                self._split("ListenerNotificationFailures", "ErrorType")
            ],
            "Dropped audio by reason": [self._split("AudioChunksDropped", "Reason")],
            "Cold starts": [self._split("ColdStarts", "Handler")],
            "Listeners notified": [self._ours("ListenersNotified")],
            "Gateway": [
                self._gateway(name)
                for name in ("ConnectCount", "MessageCount", "ClientError", "ExecutionError")
            ],
            "Functions: errors": [f.metric_errors(period=_PERIOD) for f in functions],
            "Functions: concurrent, and not started for want of room": [
                *(
                    f.metric("ConcurrentExecutions", statistic="Maximum", period=_PERIOD)
                    for f in functions
                ),
                self._throttles(),
            ],
            "DynamoDB errors by code": [self._split("DynamoDBErrors", "ErrorCode")],
            "Wrong keys": [self._ours("WrongListenerKeys"), self._ours("WrongInterpreterKeys")],
            "Refresh tokens refused, by why": [self._split("RefreshTokensRefused", "Reason")],
            **(
                {"Access tokens refused, by why": [self._split("TokensRefused", "Reason")]}
                if self._authorizer
                else {}
            ),
        }
        graphs = [
            cloudwatch.GraphWidget(title=title, left=metrics, width=8)
            for title, metrics in rows.items()
        ]
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=f"{SYSTEM}-{self._settings.stage}",
            widgets=[graphs[start : start + 3] for start in range(0, len(graphs), 3)],
        )

    def _split(self, name: str, dimension: str) -> cloudwatch.IMetric:
        """Return one line for each value that a dimension has had lately."""
        _, *sets = COUNTED[name]
        if (dimension,) not in sets:
            raise ValueError(f"{name} goes out by {sets}, not by {dimension}")
        search = f'{{"{self._namespace}",{dimension}}} MetricName="{name}"'
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{search}', 'Sum')", using_metrics={}, label="", period=_PERIOD
        )
