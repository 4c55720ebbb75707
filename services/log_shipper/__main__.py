"""`python -m services.log_shipper parse FILE` prints a log file as contract records."""

from __future__ import annotations

import sys

from services.log_shipper import parse_command

if __name__ == "__main__":
    sys.exit(parse_command.main(sys.argv[1:]))
