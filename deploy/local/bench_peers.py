"""What others' libraries run in, beside which ours are measured; built when a bench or an evaluation first asks."""

from __future__ import annotations

from deploy.local import setup
from deploy.local.setup import ENGINES, ROOT, Environment, Step

LOCK = ROOT / "requirements" / "bench-peers.lock"
ENVIRONMENT = Environment(ROOT / ".venv-bench-peers", LOCK)
PYTHON = ENVIRONMENT.folder / "bin" / "python"
_TITLE = "Peers' environment"


def put_in_place() -> None:
    """Build the environment from its lock where it is not there, every file checked by hash.

    Raises:
        FetchFailed: it could not be built.
    """
    ENGINES.mkdir(exist_ok=True)
    with setup.only_one(ENGINES / "bench-peers.lock"):
        setup.take(Step(_TITLE, ENVIRONMENT.fault, ENVIRONMENT.build), _TITLE, quiet=True)
