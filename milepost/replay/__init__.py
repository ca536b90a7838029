"""Lives through recorded grants day by day on a simulated clock, and says at the end what became of them."""

from milepost.replay.run import run_replay
from milepost.replay.summary import Summary

__all__ = ["Summary", "run_replay"]
