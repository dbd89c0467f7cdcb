"""Starts functions of a test's own files as deployed ones are started, without an emulator."""

import contextlib
import json

from wslocal.lambda_host.function import FunctionPool, FunctionSettings
from wslocal.lambda_host.runtimes import Runtimes
from wslocal.lambda_host.variables import function_arn, function_variables
from wslocal.loop import LoopThread


class StartedFunctions:
    """Functions in folders of their own; use in a `with` block, at whose end they are closed."""

    def __init__(self, folder, cache):
        self._folder = folder
        self._cache = cache
        self._pools = []
        self.lines = []

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.loop = self._stack.enter_context(LoopThread())
        return self

    def __exit__(self, *_):
        for pool in self._pools:
            self.loop.run(pool.close())
        self._stack.close()

    def start(
        self,
        runtime,
        files,
        *,
        handler="app.handler",
        layer=None,
        runtimes=None,
        environ=(),
        memory_mb=512,
        timeout_seconds=20.0,
        log_format="Text",
        log_level=None,
        reserved_concurrency=None,
        **pool,
    ):
        """Return the pool of a function with these files, by their paths."""
        root = self._folder / f"task-{len(self._pools)}"
        root.mkdir()
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        launch = (runtimes or Runtimes(cache=self._cache)).launch(
            "tested", runtime, handler=handler, task_root=root, layer=layer, memory_mb=memory_mb
        )
        variables = function_variables(
            handler=handler,
            name="tested",
            task_root=root,
            memory_mb=memory_mb,
            log_format=log_format,
            log_level=log_level,
        )
        settings = FunctionSettings(
            name="tested",
            arn=function_arn("tested"),
            command=launch.command,
            task_root=root,
            variables={**variables, **launch.variables, **dict(environ)},
            timeout_seconds=timeout_seconds,
            memory_mb=memory_mb,
            log_format=log_format,
            log_level=log_level,
            system_log_level="INFO",
            log_group="/aws/lambda/tested",
            reserved_concurrency=reserved_concurrency,
            limits_memory=True,
        )
        self._pools.append(FunctionPool(settings, on_line=self.lines.append, **pool))
        return self._pools[-1]

    def invoke(self, runtime, files, event=None, **more):
        """Return what comes of one event for such a function."""
        return self.handle(self.start(runtime, files, **more), event)

    def handle(self, pool, event=None):
        """Return what comes of one event for a function that was started."""
        return self.loop.run(pool.invoke(json.dumps(event).encode()))
