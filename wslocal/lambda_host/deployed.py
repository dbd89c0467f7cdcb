"""The functions that are deployed to an AWS API, run on this machine.

All that is known of them comes from ordinary calls: Lambda's GetFunction and GetLayerVersion, and
STS AssumeRole for the credentials of a function's own role.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import secrets
import threading
import time
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from wslocal.credentials import Issued
from wslocal.faults import Faults

from .function import Credentials, FunctionPool, FunctionSettings
from .layer import unpack_code
from .results import FunctionNotFoundError, HostError, encode
from .runtimes import Runtimes
from .variables import function_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .function import FunctionState
    from .lines import LogLine
    from .results import InvocationContext, InvocationResult
    from .runtimes import Launch

__all__ = ["DeployedFunctions", "lets_in"]

# What AssumeRole gives unless the role allows more.
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_CREDENTIALS_SECONDS = 3600
# Environments started within this time share a set: AssumeRole costs the start more than signing.
_SHARED_SECONDS = 600
_GATEWAY = "apigateway.amazonaws.com"


class DeployedFunctions:
    """Runs deployed functions by name or ARN; each has a pool of environments from its first use.

    `client` gives boto3 clients by service. `overrides` replace variables that a function has;
    `endpoints` are variables for those that have no `AWS_ENDPOINT_URL` of their own. `runtimes` finds the
    interpreter of each function.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        folder: Path,
        *,
        overrides: Mapping[str, str] | None = None,
        endpoints: Mapping[str, str] | None = None,
        faults: Faults | None = None,
        max_environments: int = 4,
        on_line: Callable[[LogLine], None] | None = None,
        clock: Callable[[], float] = time.time,
        runtimes: Runtimes | None = None,
    ) -> None:
        self._runtimes = runtimes or Runtimes()
        self._lambda = client("lambda")
        self._sts = client("sts")
        self._folder = folder
        self._overrides = {} if overrides is None else overrides
        self._endpoints = {} if endpoints is None else endpoints
        self._faults = faults or Faults()
        self._max_environments = max_environments
        self._on_line = on_line
        self._clock = clock
        self._functions: dict[str, FunctionPool] = {}
        self._roles: dict[str, str] = {}  # by function
        self._revisions: dict[str, object] = {}
        self._policies: dict[str, list[dict[str, Any]]] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._layers = threading.Lock()  # two functions may have the same
        self._issued: dict[str, Issued] = {}
        self._closed = False

    def states(self) -> list[FunctionState]:
        """What each function has running and has done."""
        return [function.state for function in self._functions.values()]

    def issued(self, access_key: str) -> Issued | None:
        """Return the credentials with that key, also when they have ended."""
        return self._issued.get(access_key)

    async def invoke(
        self,
        name: str,
        event: object,
        *,
        source_arn: str | None = None,
        context: InvocationContext | None = None,
    ) -> InvocationResult:
        """Have a function handle `event`, a value that JSON can hold or JSON text as bytes.

        With `source_arn`, of an API's route, the function's policy has to let API Gateway in.
        HostError for a function that is not there, lets nobody in, or cannot run here (now: the next
        invocation tries again).
        """
        name = _key(name)
        body = event if isinstance(event, bytes) else encode(event)
        if name not in self._functions:
            await self._load(name)
        if source_arn is not None and not lets_in(self._policies[name], source_arn):
            raise HostError(f"the policy of {name} does not let API Gateway in for {source_arn}")
        return await self._functions[name].invoke(body, context)

    async def prepare(self, name: str) -> None:
        """Fetch a function and start an environment, which the first invocation finds.

        HostError, one sentence, for a function that is not there, cannot run here, or does not start: then
        with its own error.
        """
        await self.find(name)
        await self._functions[_key(name)].prepare()

    async def find(self, name: str) -> None:
        """Fetch a function, and find what runs it; HostError, one sentence, for one that cannot run here."""
        if (key := _key(name)) not in self._functions:
            await self._load(key)

    def kill(self, name: str, count: int | None) -> int:
        """Kill processes of a function's environments, at most `count`; return how many there were."""
        name = _key(name)
        pools = [
            pool
            for key, pool in self._functions.items()
            if key == name or key.partition(":")[0] == name
        ]
        if not pools:
            known = ", ".join(self._functions) or "none"
            raise HostError(f"{name} was not invoked yet; functions that were: {known}")
        killed = 0
        for pool in pools:
            if killed and killed == count:
                break
            killed += pool.kill(None if count is None else count - killed)
        return killed

    async def reload(self, *, if_it_starts: bool = False) -> list[str]:
        """Take over what was deployed since; return the names of the functions that changed.

        With `if_it_starts`, a function that does not start as it is now stays as it was: HostError, with the
        first one's own error, once the others are taken over.
        """
        before, errors = dict(self._revisions), []
        for name in before:
            try:
                await self._load(name, again=True, if_it_starts=if_it_starts)
            except FunctionNotFoundError:
                await self._forget(name)
            except HostError as error:
                if not if_it_starts:
                    raise
                errors.append(error)
        if errors:
            raise errors[0]
        return [name for name in before if before[name] != self._revisions.get(name)]

    async def close(self) -> None:
        """End all environments; no function is fetched after it."""
        self._closed = True
        await asyncio.gather(*(function.close() for function in self._functions.values()))

    async def _load(self, name: str, *, again: bool = False, if_it_starts: bool = False) -> None:
        async with self._loading.setdefault(name, asyncio.Lock()):
            if name in self._functions and not again:
                return  # somebody else was waiting for it, too
            revision = self._revisions.get(name)
            try:
                loaded = await asyncio.to_thread(self._fetch, name, revision)
                self._policies[name] = await asyncio.to_thread(self._fetch_policy, name)
            except _UNFETCHED as error:
                raise HostError(f"{name} cannot be fetched and unpacked: {error}") from error
            if self._closed:
                raise HostError("the host is closed")
            if loaded is None:
                return
            settings, role, revision = loaded
            before = self._roles.get(name)
            self._roles[name] = role  # an environment signs in with it as it starts
            try:
                await self._use(name, settings, if_it_starts=if_it_starts)
            except HostError:
                self._roles[name] = before or role
                raise
            self._revisions[name] = revision

    async def _use(self, name: str, settings: FunctionSettings, *, if_it_starts: bool) -> None:
        if name not in self._functions:
            self._functions[name] = FunctionPool(
                settings,
                max_environments=self._max_environments,
                credentials=lambda: self._sign_in(name),
                on_line=self._on_line,
                clock=self._clock,
                clock_shift=lambda: self._faults.clock_shift,
            )
        elif if_it_starts:
            await self._functions[name].replace(settings)
        else:
            await self._functions[name].renew(settings)

    async def _forget(self, name: str) -> None:
        """End a function that is deployed no more."""
        for known in (self._roles, self._revisions, self._policies):
            known.pop(name, None)
        await self._functions.pop(name).close()

    def _fetch(self, name: str, revision: object) -> tuple[FunctionSettings, str, object] | None:
        """Return what is deployed under `name`; None if that is still `revision`."""
        try:
            found = self._lambda.get_function(**_named(name))
        except self._lambda.exceptions.ResourceNotFoundException as error:
            raise FunctionNotFoundError(f"there is no function {name}") from error
        configuration = found["Configuration"]
        layers = [layer["Arn"] for layer in configuration.get("Layers", [])]
        concurrency = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        now = {key: configuration.get(key) for key in _WATCHED}
        now |= {"Layers": layers, "Concurrency": concurrency}
        now["Endpoints"] = dict(self._endpoints)  # a custom domain may be new
        if now == revision:
            return None
        if configuration.get("PackageType", "Zip") != "Zip":
            raise HostError(f"function {name} is a container image: only zips run here")
        opt = self._unpack_layers(layers) if layers else None
        task_root = self._folder / f"{configuration['FunctionName']}-{secrets.token_hex(8)}"
        self._unpack([found["Code"]], task_root)
        launch = self._runtimes.launch(
            name,
            configuration["Runtime"],
            handler=configuration["Handler"],
            task_root=task_root,
            layer=opt,
            memory_mb=configuration["MemorySize"],
        )
        own = self._variables(configuration)
        settings = _settings(configuration, task_root, launch, own)
        settings = replace(
            settings,
            arn=_qualified(settings.arn, name),
            reserved_concurrency=concurrency,
            limits_memory=True,
        )
        return settings, configuration["Role"], now

    def _fetch_policy(self, name: str) -> list[dict[str, Any]]:
        try:
            policy = json.loads(self._lambda.get_policy(**_named(name))["Policy"])
        except self._lambda.exceptions.ResourceNotFoundException:
            return []
        # The emulator gives those of aliases and versions with the function's own.
        qualifier = name.partition(":")[2]
        return [
            statement
            for statement in policy["Statement"]
            if ":".join(statement.get("Resource", "").split(":")[7:]) == qualifier
        ]

    def _unpack_layers(self, arns: list[str]) -> Path:
        into = self._folder / f"layers-{hashlib.sha256(' '.join(arns).encode()).hexdigest()[:16]}"
        with self._layers:
            if not into.exists():
                found = [self._lambda.get_layer_version_by_arn(Arn=arn)["Content"] for arn in arns]
                self._unpack(found, into)
        return into

    def _unpack(self, found: list[dict[str, str]], into: Path) -> None:
        archives = [_download(content["Location"]) for content in found]
        unpack_code(archives, into, after_file=self._faults.write_code)

    def _variables(self, configuration: Mapping[str, Any]) -> dict[str, str]:
        own: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
        replaced = {key: value for key, value in self._overrides.items() if key in own}
        is_led = "AWS_ENDPOINT_URL" not in own
        endpoints = {
            key: value
            for key, value in self._endpoints.items()
            if is_led or not key.startswith("AWS_ENDPOINT_URL")
        }
        everywhere = {"AWS_ENDPOINT_URL": self._lambda.meta.endpoint_url}
        return {**everywhere, **endpoints, **own, **replaced}

    async def _sign_in(self, name: str) -> Credentials:
        role, now = self._roles[name], self._clock()
        name = name.partition(":")[0]
        self._issued = {k: v for k, v in self._issued.items() if v.expires_at + 3600 > now}
        for issued in self._issued.values():
            fresh = issued.expires_at - now > _CREDENTIALS_SECONDS - _SHARED_SECONDS
            if issued.session_arn.endswith(f"/{name}") and issued.role_arn == role and fresh:
                break
        else:
            try:
                issued = await asyncio.to_thread(self._assume, role, name)
            except (BotoCoreError, ClientError) as error:
                raise HostError(f"{name} gets no credentials: {error}") from error
            self._issued[issued.access_key] = issued
        variables = {
            "AWS_ACCESS_KEY_ID": issued.access_key,
            "AWS_SECRET_ACCESS_KEY": issued.secret_key,
            "AWS_SESSION_TOKEN": issued.token,
        }
        return Credentials(variables, issued.expires_at)

    def _assume(self, role: str, name: str) -> Issued:
        answer = self._sts.assume_role(
            RoleArn=role, RoleSessionName=name[-64:], DurationSeconds=_CREDENTIALS_SECONDS
        )
        given = answer["Credentials"]
        return Issued(
            access_key=given["AccessKeyId"],
            secret_key=given["SecretAccessKey"],
            token=given["SessionToken"],
            role_arn=role,
            session_arn=answer["AssumedRoleUser"]["Arn"],
            expires_at=self._clock() + _CREDENTIALS_SECONDS,
        )


# What keeps code from being there: the API, the disk, or the zip itself.
_UNFETCHED = (BotoCoreError, ClientError, OSError, zipfile.BadZipFile)
_WATCHED = (
    *("CodeSha256", "Handler", "Runtime", "Role", "Timeout", "MemorySize", "Environment"),
    *("LoggingConfig", "Version"),
)


# What the Invoke API takes for a function: a name or an ARN, whole or in part, with or without a qualifier.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_ARN = re.compile(r"(?:arn:[^:]*:lambda:[^:]*:)?[0-9]{12}:function:")


def _key(name: str) -> str:
    """Return a function's name and its alias or version, as `name:live`, of what names a function."""
    return _ARN.sub("", name, count=1).removesuffix(":$LATEST")


def _named(key: str) -> dict[str, str]:
    name, _, qualifier = key.partition(":")
    return {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})


def _qualified(arn: str, key: str) -> str:
    """Return the ARN that a function is invoked by: that of the alias or version, if there is one."""
    base = ":".join(arn.split(":")[:7])
    qualifier = key.partition(":")[2]
    return f"{base}:{qualifier}" if qualifier else base


def lets_in(statements: list[dict[str, Any]], source_arn: str) -> bool:
    """Return whether one of a function's policy lets API Gateway invoke it for that route."""
    return any(
        statement["Effect"] == "Allow"
        and statement["Action"] in {"lambda:InvokeFunction", "lambda:*", "*"}
        and _services(statement["Principal"]) in ("*", _GATEWAY, [_GATEWAY])
        and re.fullmatch(_pattern(statement), source_arn)
        for statement in statements
    )


def _services(principal: str | dict[str, str | list[str]]) -> str | list[str]:
    return principal if isinstance(principal, str) else principal.get("Service", "")


def _pattern(statement: Mapping[str, Any]) -> str:
    """Return the condition on the source's ARN, in which `*` is any text and `?` a character."""
    arn: str = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "*")
    return re.escape(arn).replace(r"\*", ".*").replace(r"\?", ".")


def _settings(
    configuration: Mapping[str, Any], task_root: Path, launch: Launch, own: Mapping[str, str]
) -> FunctionSettings:
    logging = configuration.get("LoggingConfig", {})
    log_format = logging.get("LogFormat", "Text")
    log_level = logging.get("ApplicationLogLevel") if log_format == "JSON" else None
    variables = function_variables(
        handler=configuration["Handler"],
        name=configuration["FunctionName"],
        task_root=task_root,
        memory_mb=configuration["MemorySize"],
        log_format=log_format,
        log_level=log_level,
        region=configuration["FunctionArn"].split(":")[3],
        log_group=logging.get("LogGroup"),
        version=configuration.get("Version", "$LATEST"),
    )
    return FunctionSettings(
        name=configuration["FunctionName"],
        arn=configuration["FunctionArn"],
        command=launch.command,
        task_root=task_root,
        variables={**variables, **launch.variables, **own},
        timeout_seconds=float(configuration["Timeout"]),
        memory_mb=configuration["MemorySize"],
        log_format=log_format,
        log_level=log_level,
        system_log_level=logging.get("SystemLogLevel", "INFO"),
        log_group=variables["AWS_LAMBDA_LOG_GROUP_NAME"],
        version=variables["AWS_LAMBDA_FUNCTION_VERSION"],
    )


def _download(url: str) -> io.BytesIO:
    """Return what is at the address that an AWS API gave us, without the user's proxy."""
    if not url.startswith(("http://", "https://")):
        raise HostError(f"code is not at a web address: {url}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        return io.BytesIO(answer.read())
