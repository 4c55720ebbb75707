"""`python -m services.log_shipper` ships logs until it is stopped; `parse FILE` prints a file as contract records."""

from __future__ import annotations

import sys

NAME = "log_shipper"

if __name__ == "__main__":
    if sys.argv[1:]:
        # Who only wants lines read need not load what the service ships them with.
        from services.log_shipper import parse_command

        sys.exit(parse_command.main(sys.argv[1:]))

    from services.kernel.core import lifecycle
    from services.log_shipper.serving import serve
    from services.log_shipper.settings import Settings

    lifecycle.run(NAME, Settings, serve)
