"""The command line: each command parses what was typed, calls one function, and prints."""

from chainrule.cli.app import main

__all__ = ["main"]
