"""The command line: arguments, and errors as messages and exit statuses.

What a command does is in `composer.commands`, imported when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from composer.arguments import make_parser
from composer.errors import ComposeError
from composer.interrupt import Stopped

INTERRUPTED, BROKEN_PIPE = 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 a check differs, 2 the user's error, 3 diverged, 130 Ctrl-C."""
    # Threads of torch that spin for a moment only while they wait for each other: where other programs use the
    # processors too, long spinning makes an iteration several times slower (docs/performance.md). It is read when torch
    # is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        parsed = make_parser().parse_args(arguments)
        status = _command(parsed.command)(parsed)
        sys.stdout.flush()
        return status
    except ComposeError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.status
    except BrokenPipeError:
        # `composer blocks | head` has read enough. Python would complain once more while closing the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        from composer.files import explain

        problem = explain(error)
        print(problem, file=sys.stderr)
        return problem.exit_status


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    from composer import commands

    found: Callable[[argparse.Namespace], int] = getattr(commands, name.replace("-", "_"))
    return found
