"""How each engine is started. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.local.engines.launch import Launch, Message, Request, aws_call

SOURCES = Path(__file__).parent
ROOT = Path(__file__).parents[3]
ENGINES = ROOT / ".engines"
AWS_PYTHON = ROOT / ".venv-aws" / "bin" / "python"
POSTGRESQL_PYTHON = ROOT / ".venv-postgresql" / "bin" / "python"
SERVES = {
    "kinesis": ("kinesis",),
    "dynamodb": ("dynamodb",),
    "aws": ("sns", "s3", "glue"),
    "opensearch": ("opensearch",),
    "postgresql": ("redshift",),
}
"""What each engine stands in for: a service finds it by CADABRA_<NAME>_ENDPOINT."""
STORES_ON_DISK = ("opensearch",)
"""Engines that still have what they acknowledged when they were killed."""


def launch(
    name: str, run_folder: Path, port: int = 0, engines: Path = ENGINES, keep_data: bool = False
) -> Launch:
    """How to start the engine of this name.

    Args:
        run_folder: an existing folder for what the engine leaves while it runs.
        port: to listen on, 0 for one that is free.
        keep_data: start with what the last life in this folder stored, if it is one of STORES_ON_DISK.

    Raises:
        FileNotFoundError: the engine was not fetched.
    """
    needed = {"aws": AWS_PYTHON, "postgresql": POSTGRESQL_PYTHON}.get(name, engines / name)
    if not needed.exists():
        raise FileNotFoundError(f"{needed} is missing: run `make setup`")
    if name == "opensearch":
        return _opensearch(run_folder.resolve(), port, engines, keep_data)
    makers = {"kinesis": _kinesis, "dynamodb": _dynamodb, "aws": _aws, "postgresql": _postgresql}
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
        probe=aws_call("Kinesis_20131202.ListStreams", "application/x-amz-json-1.1"),
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
        probe=aws_call("DynamoDB_20120810.ListTables", "application/x-amz-json-1.0"),
    )


def _aws(run_folder: Path, port: int, _engines: Path) -> Launch:
    environment = {
        **_common("aws", run_folder, port),
        "TMPDIR": str(run_folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "LOG_LEVEL": "WARNING",
        "SERVICES": ",".join(SERVES["aws"]),
        # Objects are gone with the engine, as streams and tables are.
        "S3_PERSIST": "0",
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
        probe=aws_call(
            "", "application/x-www-form-urlencoded", "Action=ListTopics&Version=2010-03-31", "sns"
        ),
    )


def _opensearch(run_folder: Path, port: int, engines: Path, keep_data: bool) -> Launch:
    home, own = engines / "opensearch", run_folder / "opensearch"
    settings, data, logs, temporary = own / "config", own / "data", own / "logs", own / "tmp"
    return Launch(
        name="opensearch",
        command=[
            "java",
            *_OPENSEARCH_JAVA,
            f"-Djna.boot.library.path={temporary}",
            f"-Djava.io.tmpdir={temporary}",
            f"-Dopensearch.path.home={home}",
            f"-Dopensearch.path.conf={settings}",
            "-cp",
            f"{home / 'lib'}/*",
            "org.opensearch.bootstrap.OpenSearch",
            f"-Epath.data={data}",
            f"-Epath.logs={logs}",
            f"-Ehttp.port={port}",
        ],
        environment=_common("opensearch", run_folder, port),
        folder=run_folder,
        port_file=logs / "http.ports",
        probe=Request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s"),
        emptied=(settings, logs, temporary) if keep_data else (settings, logs, temporary, data),
        kept=(data,) if keep_data else (),
        copied={
            settings / name: SOURCES / "opensearch" / name for name in ("opensearch.yml", "log4j2.properties")
        },
    )


_OPENSEARCH_JAVA = (
    "-Xms512m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-Djava.net.preferIPv4Stack=true",
    # Without its native library it cannot see who runs it: as root it would refuse.
    "-Djna.nosys=true",
    "-Djna.nounpack=true",
    "-Djava.security.manager=allow",
    "-Djava.locale.providers=SPI,COMPAT",
    "-Dopensearch.distribution.type=zip",
    "-Dopensearch.bundled_jdk=false",
    "-Dlog4j2.disable.jmx=true",
    "-Dlog4j.shutdownHookEnabled=false",
)


def _postgresql(run_folder: Path, port: int, _engines: Path) -> Launch:
    own = run_folder / "postgresql"
    environment = {
        **_common("postgresql", run_folder, port),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CADABRA_POSTGRESQL_FOLDER": str(own),
    }
    return Launch(
        name="postgresql",
        command=[
            *(_AS_NOBODY if os.geteuid() == 0 else ()),
            str(POSTGRESQL_PYTHON),
            str(SOURCES / "postgresql" / "serve.py"),
        ],
        environment=environment,
        folder=run_folder,
        port_file=Path(environment["CADABRA_ENGINE_PORT_FILE"]),
        probe=Message(_POSTGRESQL_STARTUP, b"R"),
        emptied=(own,),
        address="postgresql://cadabra@{host}:{port}/postgres",
    )


# PostgreSQL refuses to run as root, who then runs it as nobody with one right left: to reach the files of the checkout
# and of the run, wherever they are.
_AS_NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--pdeathsig=keep",
)
# Source: PostgreSQL's frontend protocol: the length, version 3.0 and parameters of a StartupMessage, then Terminate.
# The answer of one that takes connections is AuthenticationOk, `R`; one that still starts says an error, `E`.
_PARAMETERS = b"\x00\x03\x00\x00user\x00cadabra\x00database\x00postgres\x00\x00"
_POSTGRESQL_STARTUP = (4 + len(_PARAMETERS)).to_bytes(4, "big") + _PARAMETERS + b"X\x00\x00\x00\x04"


def _common(name: str, run_folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", str(run_folder)),
        "LANG": "C.UTF-8",
        "CADABRA_ENGINE_PORT": str(port),
        "CADABRA_ENGINE_PORT_FILE": str(run_folder / f"{name}.port"),
    }
