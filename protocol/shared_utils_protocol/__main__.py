"""`python -m shared_utils_protocol`: the same as the command `shared-utils-protocol`."""

import sys

from .cli import main

sys.exit(main())
