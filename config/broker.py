"""The broker of an installation that has no other: files, as kombu keeps them, each there whole or not at all.

kombu writes a message into the file in which it is looked for, and a worker that looks in that moment fails.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Writes a message under another name first, and passes over what a crash left of one."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override] # kombu has two names for it
        # kombu takes messages in the order of their names.
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        being_written = folder / f"{name}.part"
        being_written.write_text(dumps(payload))
        being_written.replace(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        while True:
            try:
                return super()._get(queue)
            except ValueError:  # no JSON, and taken away already
                continue


class Transport(filesystem.Transport):
    """Found by its name, in the settings."""

    Channel = Channel
