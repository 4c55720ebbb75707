"""How each engine is started and how one sees that it answers. Standard library only."""

from __future__ import annotations

import http.client
import os
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent
ROOT = Path(__file__).parents[3]
ENGINES = ROOT / ".engines"
AWS_PYTHON = ROOT / ".venv-aws" / "bin" / "python"
HOST = "127.0.0.1"
SERVES = {"kinesis": ("kinesis",), "dynamodb": ("dynamodb",), "aws": ("sns",)}
"""What each engine stands in for: a service finds it by CADABRA_<NAME>_ENDPOINT."""
NAMES = tuple(SERVES)
READY_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Launch:
    """One engine, ready to be started.

    Args:
        port_file: where the engine writes the port that it listens on, once it does.
        target, content_type, body: of the smallest call that proves that the engine serves its API.
        scope: the service that its signature names.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    folder: Path
    port_file: Path
    target: str
    content_type: str
    body: str = "{}"
    scope: str = "aws"


def launch(name: str, run_folder: Path, port: int = 0, engines: Path = ENGINES) -> Launch:
    """How to start the engine of this name.

    Args:
        run_folder: an existing folder for what the engine leaves while it runs.
        port: to listen on, 0 for one that is free.

    Raises:
        FileNotFoundError: the engine was not fetched.
    """
    makers = {"kinesis": _kinesis, "dynamodb": _dynamodb, "aws": _aws}
    needed = AWS_PYTHON if name == "aws" else engines / name
    if not needed.exists():
        raise FileNotFoundError(f"{needed} is missing: run `make setup`")
    return makers[name](run_folder.resolve(), port, engines)


def _kinesis(run_folder: Path, port: int, engines: Path) -> Launch:
    environment = {
        **_common("kinesis", run_folder, port),
        # Reserved numbers, not ports: loopback.js puts real ones in their place.
        "KINESIS_MOCK_PLAIN_PORT": "1",
        "KINESIS_MOCK_TLS_PORT": "2",
        "SHOULD_PERSIST_DATA": "false",
        "LOAD_DATA_IF_EXISTS": "false",
        "SHARD_LIMIT": "1000",  # an account has more too; tests make many small streams
        "AWS_REGION": "us-east-1",
        "AWS_ACCOUNT_ID": "000000000000",
        "LOG_LEVEL": "ERROR",
        "ROOT_LOG_LEVEL": "ERROR",
        **dict.fromkeys(_STREAM_DURATIONS, "50ms"),
    }
    preload = str(SOURCES / "kinesis" / "loopback.js")
    return Launch(
        name="kinesis",
        command=["node", *_NODE_MEMORY, "-r", preload, "main.js"],
        environment=environment,
        folder=engines / "kinesis",
        port_file=Path(environment["CADABRA_ENGINE_PORT_FILE"]),
        target="Kinesis_20131202.ListStreams",
        content_type="application/x-amz-json-1.1",
    )


# With V8's own small young generation a third of the engine's time went into collecting it, and a record read cost
# three times as much (measured with 5,000 records of 2.8 KB).
_NODE_MEMORY = ("--max-old-space-size=1024", "--min-semi-space-size=64", "--max-semi-space-size=128")
_STREAM_DURATIONS = (
    "CREATE_STREAM_DURATION",
    "DELETE_STREAM_DURATION",
    "SPLIT_SHARD_DURATION",
    "MERGE_SHARDS_DURATION",
    "UPDATE_SHARD_COUNT_DURATION",
)


def _dynamodb(run_folder: Path, port: int, engines: Path) -> Launch:
    environment = _common("dynamodb", run_folder, port)
    library = engines / "dynamodb"
    return Launch(
        name="dynamodb",
        command=[
            "java",
            "-Xmx640m",
            "-XX:+UseSerialGC",
            "-Djava.net.preferIPv4Stack=true",
            f"-Djava.library.path={library}",
            "-cp",
            f"{engines / 'dynamodb-launcher'}:{library}/*",
            "LoopbackServer",
        ],
        environment=environment,
        folder=run_folder,
        port_file=Path(environment["CADABRA_ENGINE_PORT_FILE"]),
        target="DynamoDB_20120810.ListTables",
        content_type="application/x-amz-json-1.0",
    )


def _aws(run_folder: Path, port: int, _engines: Path) -> Launch:
    environment = {
        **_common("aws", run_folder, port),
        "TMPDIR": str(run_folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "LOG_LEVEL": "WARNING",
        "SERVICES": ",".join(SERVES["aws"]),
        # Listeners of their own that nobody here asks for.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    return Launch(
        name="aws",
        command=[str(AWS_PYTHON), str(SOURCES / "aws" / "serve.py")],
        environment=environment,
        folder=run_folder,
        port_file=Path(environment["CADABRA_ENGINE_PORT_FILE"]),
        target="",
        content_type="application/x-www-form-urlencoded",
        body="Action=ListTopics&Version=2010-03-31",
        scope="sns",
    )


def _common(name: str, run_folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", str(run_folder)),
        "LANG": "C.UTF-8",
        "CADABRA_ENGINE_PORT": str(port),
        "CADABRA_ENGINE_PORT_FILE": str(run_folder / f"{name}.port"),
    }


def url(started: Launch) -> str | None:
    """Where the engine serves, once it has told its port and answers its API; None before.

    Source: the Signature Version 4 headers of an AWS call; the engines read them, unchecked.
    """
    try:
        port = int(started.port_file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    headers = {
        "Content-Type": started.content_type,
        "X-Amz-Target": started.target,
        "X-Amz-Date": "20240101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=local/20240101/us-east-1/{started.scope}/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=00",
    }
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("POST", "/", body=started.body, headers=headers)
        return f"http://{HOST}:{port}" if connection.getresponse().status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()
