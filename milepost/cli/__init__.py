"""The command line. Every command speaks to people in tables and to programs in JSON, in both languages."""

from __future__ import annotations


def main() -> None:
    """The entry point of ``milepost``."""
    from milepost.cli.app import app

    app(prog_name="milepost")


__all__ = ["main"]
