"""The environment variables that Lambda sets for a function, and nothing of this machine's.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html lists them.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["function_arn", "function_variables", "lambda_variables"]

_ACCOUNT = "123456789012"
_REGION = "us-east-1"


def function_arn(name: str, region: str = _REGION) -> str:
    """Return the ARN under which the function is invoked."""
    return f"arn:aws:lambda:{region}:{_ACCOUNT}:function:{name}"


def function_variables(
    *,
    handler: str,
    name: str,
    task_root: Path,
    memory_mb: int,
    log_format: str,
    log_level: str | None,
    version: str = "$LATEST",
    region: str = _REGION,
    log_group: str | None = None,
) -> dict[str, str]:
    """Return what Lambda sets, apart from what the runtime decides and what differs between environments."""
    variables = {
        "_HANDLER": handler,
        # Not of Lambda, which has no such files: without these, SDKs would read those of the user.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group or f"/aws/lambda/{name}",
        "AWS_REGION": region,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LAMBDA_TASK_ROOT": str(task_root),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }
    if log_level is not None:
        variables["AWS_LAMBDA_LOG_LEVEL"] = log_level
    return variables


def lambda_variables(
    *,
    handler: str,
    name: str,
    task_root: Path,
    layer: Path | None,
    python: Path,
    python_version: str,
    runtime_dir: str,
    memory_mb: int,
    log_format: str,
    log_level: str | None,
) -> dict[str, str]:
    """Return what Lambda sets for a function that an interpreter runs with all that it has.

    The task root comes first on `sys.path` because it is the working directory, then, through
    PYTHONPATH, the layer, then what the interpreter has: the order of Lambda.
    """
    variables = function_variables(
        handler=handler,
        name=name,
        task_root=task_root,
        memory_mb=memory_mb,
        log_format=log_format,
        log_level=log_level,
    )
    variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_python{python_version}"
    variables["LAMBDA_RUNTIME_DIR"] = runtime_dir
    variables["PATH"] = f"{python.parent}:/usr/local/bin:/usr/bin:/bin"
    if layer is not None:
        packages = layer / "python" / "lib" / f"python{python_version}" / "site-packages"
        variables["PYTHONPATH"] = f"{packages}:{layer / 'python'}"
    return variables
