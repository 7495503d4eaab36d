"""The broker of an installation with nothing else: files in the data directory."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection
from kombu.transport import filesystem

pytestmark = pytest.mark.once
WRITERS, EACH = 3, 50


def connect(directory: Path) -> Connection:
    folder = directory / "broker"
    folder.mkdir(exist_ok=True)
    options = {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": directory / "control",
        "polling_interval": 0.001,
    }
    return Connection("filesystem://", transport="config.broker:Transport", transport_options=options)


def write(directory: Path, writer: int) -> None:
    with connect(directory) as connection, connection.SimpleQueue("bells") as queue:
        for number in range(EACH):
            queue.put([writer, number])


def take(queue: Any) -> Any:
    message = queue.get(timeout=10)
    message.ack()
    return message.payload


def test_no_message_is_read_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a busy machine: what has been opened is not written at once.
    monkeypatch.setattr(filesystem, "lock", lambda *_: time.sleep(0.005))
    with connect(tmp_path) as connection, connection.SimpleQueue("bells") as queue:
        writers = [threading.Thread(target=write, args=(tmp_path, number)) for number in range(WRITERS)]
        for thread in writers:
            thread.start()
        got = [take(queue) for _ in range(WRITERS * EACH)]
        for thread in writers:
            thread.join()

    assert sorted(got) == [[writer, number] for writer in range(WRITERS) for number in range(EACH)]


def test_what_a_crash_left_of_a_message_is_passed_over(tmp_path: Path) -> None:
    with connect(tmp_path) as connection, connection.SimpleQueue("others") as queue:
        (tmp_path / "broker" / "0_left.others.msg").write_bytes(b"")
        (tmp_path / "broker" / "1_left.others.msg").write_bytes(b'{"body": "\xff')
        queue.put("whole")

        assert take(queue) == "whole"
