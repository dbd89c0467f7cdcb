"""The operator's tool: publish the layer, see who uses it, move functions, find what is wrong.

Thinking is in `archive`, `bytecode`, `planning` and the `check_*` modules: values in, values out.
AWS is read and written in `versions`, `fleet`, `parameters` and `ownership`, and nowhere else.
Nothing of the rest of the repository is imported: the wheel, or a copy of the folder, works by itself.
"""
