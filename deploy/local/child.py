"""One process under the supervisor: started, its output taken, told to stop, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import processes
from deploy.local.run_logs import RunLogs

_CHUNK_BYTES = 64 * 1024


class Output:
    """What a process prints, taken as it comes.

    A pipe of our own and not the event loop's: that one would count a process as running for as long as anything
    that it started holds its output open.
    """

    def __init__(self, name: str, logs: RunLogs) -> None:
        self._name = name
        self._logs = logs
        self._loop = asyncio.get_running_loop()
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._open = True
        self._loop.add_reader(self._read_end, self._take)

    def close(self) -> None:
        """Take what is there, and no more."""
        while self._open and self._take():
            pass
        self._end()

    def _take(self) -> bool:
        """Take one piece; whether there was one."""
        try:
            chunk = os.read(self._read_end, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._end()
            return False
        self._logs.take(self._name, chunk)
        return True

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._read_end)
            os.close(self._read_end)
            self._logs.take(self._name, b"")


class Child:
    """A process that this one started; ends with it."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Output) -> None:
        self.name = name
        self._process = process
        self._output = output

    @classmethod
    async def start(
        cls, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, logs: RunLogs
    ) -> Child:
        """Start a process.

        Args:
            environment: all of it; nothing is inherited.
            folder: its working directory.
            logs: takes everything that it prints.

        Raises:
            OSError: the program cannot be started.
        """
        output = Output(name, logs)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.write_end,
                stderr=output.write_end,
                preexec_fn=processes.die_with_parent,
            )
        except BaseException:
            output.close()
            raise
        finally:
            os.close(output.write_end)
        return cls(name, process, output)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        code = await self._process.wait()
        self._output.close()
        return code

    async def stop(self, timeout_s: float) -> bool:
        """Ask it to end (SIGTERM), wait, kill it at the end of the time; whether it ended by itself."""
        if self.running:
            processes.send(self.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(self.wait())), timeout_s)
        except TimeoutError:
            self.kill()
            await self.wait()
            return False
        return True

    def kill(self) -> None:
        """End it at once."""
        if self.running:
            processes.send(self.pid, signal.SIGKILL)
