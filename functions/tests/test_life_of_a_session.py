"""A session from its beginning to its end, as everyone in it sees it."""


def test_session_begins_changes_hands_and_ends(system):
    system.connect("speaker")
    session_id = system.open("ann", "bob")
    recipients = [
        *("ann", "bob", "speaker"),
    ]

    statuses = [
        system.chunk("speaker", 0),
        system.send("speaker", "pauseBroadcast"),
        system.send("speaker", "resumeBroadcast"),
        system.send("bob", "pausePlayback"),
        system.send(
            "ann-2", "refreshConnection", sessionId=session_id, refreshToken=system.tokens["ann"]
        ),
    ]
    system.disconnect("ann")
    system.clock.now += 2.5
    statuses.append(system.chunk("speaker", 1))
    system.disconnect("bob")
    statuses.append(system.send("speaker", "endSession"))

    assert statuses == [200] * 7
    assert system.types() == [
        *(("ann", "audio"), ("bob", "audio")),
        *((name, "broadcastPaused") for name in recipients),
        *((name, "broadcastResumed") for name in recipients),
        ("bob", "playbackPaused"),
        *(("ann-2", "connectionRefreshComplete"), ("ann-2", "broadcastControl")),
        ("ann-2", "audio"),
        ("speaker", "listenerLeft"),
        *(("ann-2", "sessionEnded"), ("speaker", "sessionEnded")),
    ]
