"""Async routes and a middleware, as somebody wrote them against this release."""

import asyncio

from shared_utils import WebSocketHandler
from shared_utils.testing import FakeConnections

connections = FakeConnections()
app = WebSocketHandler("Async", connections=connections, role_of=lambda request: "member")


@app.route("both", role="member")
async def both(request):
    one, other = await asyncio.gather(double(1), double(2))
    return {"type": "both", "numbers": [one, other]}


async def double(number):
    await asyncio.sleep(0)
    return 2 * number


@app.middleware
async def around(request, call_next):
    reply = await call_next(request)
    return {**reply, "around": True}


def handler(event, context):
    connections.sent.clear()
    return {"answer": app(event, context), "sent": connections.sent}
