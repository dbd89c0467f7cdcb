"""The Lambda functions: one module for each group of routes, each with a handler."""
