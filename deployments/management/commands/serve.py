"""Runs Slipway: the web server and the worker, under one supervisor."""

import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from deployments.setup import FirstStart, set_up_on_first_start

_PROGRAM = """
[program:{name}]
command = {command}
directory = {directory}
autorestart = true
startsecs = 1
startretries = 1000000
stopsignal = TERM
; Longer than a request or a batch of jobs takes: both are finished.
stopwaitsecs = 30
stopasgroup = false
killasgroup = true
stdout_logfile = /dev/fd/1
stdout_logfile_maxbytes = 0
redirect_stderr = true
"""


class Command(BaseCommand):
    help = "Migrate, set up on the first start, and run the web server and the worker until told to stop."

    def handle(self, *args: Any, **options: Any) -> None:
        _check_port()
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {error}") from error
        call_command("collectstatic", verbosity=0, interactive=False)
        first = set_up_on_first_start(
            os.environ.get("SLIPWAY_OWNER_EMAIL") or "owner@localhost.localdomain",
            os.environ.get("SLIPWAY_OWNER_PASSWORD") or None,
        )
        address = settings.BASE_URL or f"http://{_shown_host()}:{settings.PORT}"
        self.stdout.write(f"Slipway {settings.VERSION} on {address}")
        if first is not None:
            self.stdout.write(_welcome(first, address))
        self.stdout.flush()
        configuration = settings.DATA_DIR / "supervisord.conf"
        configuration.write_text(_configuration())
        supervisord = Path(sys.executable).with_name("supervisord")
        os.execv(supervisord, [str(supervisord), "--nodaemon", "--configuration", str(configuration)])  # noqa: S606


def _check_port() -> None:
    """Say that the port is taken before anything is started: a server would only fail again and again."""
    family = socket.AF_INET6 if ":" in settings.BIND_HOST else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.BIND_HOST, settings.PORT))
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"Port {settings.PORT} of {settings.BIND_HOST} cannot be used: {error}. Choose another with PORT."
            ) from error


def _shown_host() -> str:
    return "127.0.0.1" if settings.BIND_HOST in ("0.0.0.0", "::") else settings.BIND_HOST  # noqa: S104


def _welcome(first: FirstStart, address: str) -> str:
    password = first.password or "as in SLIPWAY_OWNER_PASSWORD"
    return f"""
  This is the first start. What follows is shown once:

    Log in at   {address}
    E-mail      {first.email}
    Password    {password}
    API key     {first.api_key}

  Report a first deployment:

    curl -X POST {address}/v1/deployments \\
      -H 'Authorization: Bearer {first.api_key}' \\
      -H 'Content-Type: application/json' \\
      -d '{{"repositoryFullName": "acme/backend", "environment": "production", "app": "backend-api",
           "version": "v1.4.2", "commitHash": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2"}}'
"""


def _configuration() -> str:
    """Return supervisord's configuration. A percent sign in it would begin an expansion, so it is doubled."""
    data = str(settings.DATA_DIR).replace("%", "%%")
    owner = "user = root\n" if os.geteuid() == 0 else ""
    header = (
        "[supervisord]\n"
        f"{owner}"
        "nodaemon = true\nsilent = true\n"
        f"logfile = {data}/supervisord.log\nlogfile_maxbytes = 1MB\nlogfile_backups = 1\n"
        f"pidfile = {data}/supervisord.pid\n"
    )
    programs = {"web": _web(), "beat": _beat()}
    for number in range(1, settings.SLIPWAY_GITHUB_WORKERS + 1):
        programs[f"worker-github-{number}"] = _worker("--queues", settings.GITHUB_QUEUE)
    for number in range(1, settings.SLIPWAY_WEBHOOK_WORKERS + 1):
        programs[f"worker-webhooks-{number}"] = _worker("--queues", settings.WEBHOOK_QUEUE)
    programs |= {f"worker-{number}": _worker() for number in range(1, settings.SLIPWAY_JOB_WORKERS + 1)}
    return header + "".join(
        _PROGRAM.format(
            name=name,
            command=" ".join(f'"{word}"' for word in command).replace("%", "%%"),
            directory=str(settings.BASE_DIR).replace("%", "%%"),
        )
        for name, command in programs.items()
    )


def _binary(name: str) -> str:
    return (
        str(Path(sys.executable).with_name(name))
        if shutil.which(name, path=str(Path(sys.executable).parent))
        else name
    )


def _web() -> list[str]:
    command = [
        _binary("granian"),
        "--interface",
        "wsgi",
        "--host",
        settings.BIND_HOST,
        "--port",
        str(settings.PORT),
    ]
    command += [
        "--workers",
        str(settings.SLIPWAY_WEB_WORKERS),
        "--blocking-threads",
        "16",
        "--respawn-failed-workers",
    ]
    command += ["--workers-kill-timeout", "20", "--log-level", "error", "config.wsgi:application"]
    return command


# Beat and each worker are processes of their own, which the supervisor restarts whichever of them dies. As children
# of one Celery process they would outlive it when it is killed, and nobody would restart its beat.


def _beat() -> list[str]:
    return [_binary("celery"), "--quiet", "--app", "config", "beat", "--loglevel", "WARNING", "--pidfile="]


def _worker(*options: str) -> list[str]:
    command = [_binary("celery"), "--quiet", "--app", "config", "worker", "--pool", "solo", "--loglevel", "WARNING"]
    return [*command, "--without-gossip", "--without-mingle", "--without-heartbeat", *options]
