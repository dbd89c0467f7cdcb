"""What pytest finds by itself once the wheel is installed; here it takes it from the sources."""

from pytest_shared_utils import connections, lambda_context, log_lines, pytest_runtest_call

__all__ = ["connections", "lambda_context", "log_lines", "pytest_runtest_call"]
