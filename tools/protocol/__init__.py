"""The published protocol, made from the layer's declared messages and error codes."""
