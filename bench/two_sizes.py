"""Runs a benchmark on a small and on a large history at once: each in a process and a database of its own, by turns.

So whatever else the machine does meanwhile, it does to both.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from installation import configure, generated

Sample = dict[str, Any]
Measure = Callable[[], Sample]


class Side:
    """A history of one size, measured in a process of its own."""

    def __init__(self, script: str, deployments: int, arguments: argparse.Namespace) -> None:
        url = arguments.database_url
        data = arguments.data or tempfile.mkdtemp(prefix="slipway-bench-")
        place = Path(data) / str(deployments)
        place.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, script, "--side", str(deployments), "--data", str(place)]
        if url:
            command += ["--database-url", url.replace("{size}", short(deployments))]
        self.deployments = deployments
        self.samples: list[Sample] = []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self) -> None:
        """Wait until the history is there."""
        self._answer()

    def measure(self) -> Sample:
        """Measure once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Sample:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"The process of {self.deployments:,} deployments ended.")
        answer: Sample = json.loads(line)
        return answer

    def median(self, name: str) -> float:
        """Return the median of what was measured after the first run."""
        return statistics.median(sample[name] for sample in self.samples[1:])


def short(deployments: int) -> str:
    """Return a number as part of a name: 10k, 10m."""
    for size, letter in ((1_000_000, "m"), (1_000, "k")):
        if deployments % size == 0:
            return f"{deployments // size}{letter}"
    return str(deployments)


def run(script: str, prepare: Callable[[object], Measure]) -> tuple[Side, Side]:
    """Measure on both sizes by turns and return both; in the process of one size, measure when asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", type=int, default=10_000, metavar="N")
    parser.add_argument("--large", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--runs", type=int, default=9, help="after the first one")
    parser.add_argument("--data", metavar="DIR", help="where databases of SQLite are kept and found again")
    parser.add_argument(
        "--database-url", metavar="URL", help="of PostgreSQL; {size} stands for 10k, 10m; they have to exist"
    )
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        _serve(arguments, prepare)
    sides = [Side(script, size, arguments) for size in (arguments.small, arguments.large)]
    for side in sides:
        side.ready()
    for _ in range(1 + arguments.runs):
        for side in sides:
            side.samples.append(side.measure())
    return sides[0], sides[1]


def _serve(arguments: argparse.Namespace, prepare: Callable[[object], Measure]) -> None:
    real, sys.stdout = sys.stdout, sys.stderr  # what commands say is no answer
    configure(Path(arguments.data), arguments.database_url)
    measure = prepare(generated(arguments.side))
    print("{}", file=real, flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), file=real, flush=True)
    sys.exit()
