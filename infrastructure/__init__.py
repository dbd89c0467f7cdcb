"""The AWS side of the system, as a CDK app: `app.py` is the entry point, one module a capability."""
