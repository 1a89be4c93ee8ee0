"""A standalone Spark cluster of this machine: a master and two workers, from the PySpark wheel."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port, wait_until_up

LOOPBACK = "127.0.0.1"
SECONDS_TO_START = 120


@dataclass(frozen=True)
class Cluster:
    """The master's address, and the folder of each worker."""

    master: str
    workers: tuple[Path, ...]

    def that_worked(self) -> list[Path]:
        """The workers that an application has run on."""
        return [folder for folder in self.workers if list(folder.glob("app-*/*/stderr"))]


@contextmanager
def cluster(folder: Path, *, workers: int = 2) -> Iterator[Cluster]:
    """Run a master and workers of one core each until the block ends."""
    import pyspark

    spark_class = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    port = free_port()
    master = f"spark://{LOOPBACK}:{port}"
    folders = tuple(folder / f"worker-{number}" for number in range(workers))
    for made in (folder, *folders):
        made.mkdir(parents=True, exist_ok=True)
    own = ("--host", LOOPBACK, "--webui-port", "0")
    half = ("--cores", "1", "--memory", "1g")
    deploy = "org.apache.spark.deploy"
    commands = [[f"{deploy}.master.Master", *own, "--port", str(port)]]
    for made in folders:
        work = ("--work-dir", str(made), master)
        commands.append([f"{deploy}.worker.Worker", *own, *half, *work])
    logs = [folder / f"{number}.log" for number in range(len(commands))]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command, log in zip(commands, logs, strict=True):
            with log.open("wb") as stream:
                started.append(
                    subprocess.Popen(
                        [spark_class, *command],
                        env={**os.environ, "SPARK_LOCAL_IP": LOOPBACK, "SPARK_NO_DAEMONIZE": "1"},
                        stdout=stream,
                        stderr=stream,
                        cwd=folder,
                    )
                )
        wait_until_up(
            started[0],
            logs[0],
            lambda: logs[0].read_text(errors="replace").count("Registering worker") >= workers,
            SECONDS_TO_START,
        )
        yield Cluster(master, folders)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(timeout=60)
