"""The doors: one module for each group of routes, each with a Lambda handler."""
