"""The command line: each command parses what was typed, calls one function, and prints."""

from __future__ import annotations

import sys

from chainrule import signals


def main() -> None:
    """Run the command ``chainrule``. From its first line on, Ctrl-C and SIGTERM end it with a word and a code."""
    with signals.handled():
        try:
            from chainrule.cli.app import app

            for stream in (sys.stdout, sys.stderr):
                if hasattr(stream, "reconfigure"):
                    stream.reconfigure(errors="backslashreplace")  # a label that the terminal cannot show is no error
            app(prog_name="chainrule")
        except (KeyboardInterrupt, signals.Terminated) as error:  # while the commands were imported
            print("\nInterrupted before anything was done. Start again with the same command.", file=sys.stderr)
            sys.exit(signals.TERMINATED if isinstance(error, signals.Terminated) else signals.INTERRUPTED)
        finally:
            signals.ignore()


__all__ = ["main"]
