"""The AWS side of the system, as a CDK app: `app.py` is the door, one module a capability."""
