"""What the functions of a release get when it is recorded; the record keeps it, for the layers to come."""

from shared_utils.testing import connect_event, disconnect_event, message_event

MEMBER = {"authorizer": {"user": "ann"}}
# By function, the events that it gets, in their order.
EVENTS = {
    "chat": [
        connect_event("me="),
        {**connect_event("me="), "queryStringParameters": {"room": "full"}},
        message_event({"action": "sendChat", "roomId": "blue", "text": "hi"}, **MEMBER),
        message_event(
            {
                "action": "sendChat",
                "roomId": "blue",
                "text": "hi",
                "mood": "cross",
                "mentions": [{"name": "ben", "weight": 2}],
                "volume": 0.25,
                "requestId": "r-1",
                "unknown": True,
            }
        ),
        message_event({"action": "sendChat", "roomId": "blue", "text": ""}),
        message_event({"action": "sendChat", "roomId": "Blue", "text": "hi"}),
        message_event({"action": "fail", "what": "luck"}),
        message_event({"action": "find", "room": "blue"}),
        message_event({"action": "find", "room": "red"}),
        message_event({"action": "silent"}),
        message_event({"action": "ping"}),
        message_event("no JSON"),
        message_event({"action": "unknown"}),
        disconnect_event("me="),
    ],
    "asynchronous": [message_event({"action": "both"})],
    "worker": [{"do": do} for do in ("lines", "numbers", "checks", "answers")],
}
