"""What happens around a command? Its input and output files, its exit code, and what an error says."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from repoctx.errors import RepoctxError, UsageError
from repoctx.serve.show import plain


def read_text(text: str | None, file: str | None, what: str) -> str:
    """A text given on the command line or in a file ("-" is standard input). `what` is its option's name."""
    if (text is None) == (file is None):
        if text is None:
            raise UsageError(f"give a {what} or --{what}-file F (- is standard input)")
        raise UsageError(f"give either the {what} or --{what}-file, not both")
    if file is None:
        return str(text)
    if file == "-" and sys.stdin is None:
        raise UsageError("standard input is closed: give a file, or pipe the text in")
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{plain(file)} cannot be read: {error.strerror}") from error
    return raw.decode("utf-8", "replace")


def check_places(*paths: str | None) -> None:
    """Raises UsageError for files that cannot be written, before what is to be written into them is made."""
    for path in paths:
        if path in (None, "-"):
            continue
        target = Path(os.path.realpath(str(path)))
        if target.is_dir() or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
            raise UsageError(f"{plain(str(path))} cannot be written: choose a file in a folder that there is")


def write_text(path: str, text: str, private: bool = False) -> None:
    """Write a file whole or not at all; "-" is standard output. Links are followed, modes kept, and what is
    not a regular file (a pipe, a device) is written in place. A new file that is `private` others cannot read."""
    if path == "-":
        sys.stdout.write(text)
        return
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            with target.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                if target.exists():
                    shutil.copymode(target, temporary)
                elif not private:
                    os.umask(mask := os.umask(0))
                    os.chmod(temporary, 0o666 & ~mask)
                file.write(text)
            os.replace(temporary, target)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UsageError(f"{plain(path)} cannot be written: {error.strerror}") from error


def run(command: click.Group, arguments: list[str]) -> int:
    """Run a command line: its exit code; what went wrong is one sentence on stderr."""
    debug = False
    try:
        with command.make_context("repoctx", list(arguments)) as context:
            debug = bool(context.params.get("debug"))
            found: Any = command.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
        return found if isinstance(found, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: what was already published is unchanged, and the work done so far is kept", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: that is not our failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except RepoctxError as error:
        if debug:
            raise
        click.echo(f"repoctx: {error}", err=True)
        return error.exit_code
    except OSError as error:
        if debug:
            raise
        place = plain(str(error.filename or "a file"))[:300]
        click.echo(
            f"repoctx: {place} cannot be used ({error.strerror}): check the path and the free space, or set "
            "REPOCTX_HOME to another folder",
            err=True,
        )
        return 4
    except Exception as error:  # a bug of ours
        if debug:
            raise
        said = plain(f"{type(error).__name__}: {error}")[:300]
        click.echo(f"repoctx: internal error ({said}): run it again with `repoctx --debug …` and report it", err=True)
        return 4
