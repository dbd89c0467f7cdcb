#!/usr/bin/env bash
# Builds shared-layer.zip beside this file. Usage: ./build.sh [--python 3.11,3.13]
# Or a function's zip: ./build.sh --function my_package app.py --output function.zip
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# A version manager's shim can be on PATH and still fail, and a Python can have been made without zlib,
# so candidates are run.
for python in "${PYTHON:-}" python3.11 python3 "${HOME:-/nonexistent}"/.pyenv/versions/3.11.*/bin/python3 /usr/bin/python3.11; do
  if [[ -n "$python" ]] && "$python" -c 'import sys, zlib; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$python" -I "$here/build.py" "$@"
  fi
done
echo "build.sh: Python 3.11 or newer with zlib is needed, and none was found" >&2
exit 1
