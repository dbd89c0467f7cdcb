"""One function, written for each stack: the `sendAudio` handler that the benchmarks run.

Each module is what somebody's function file would look like. It has `handler`, which leaves the
audio as text if its parser can check it without decoding, and `decoding_handler`, which has the
raw bytes in hand. Both check the same rules, write one line and three metrics, and answer 200,
or 400 for a bad message.
"""
