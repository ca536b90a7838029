"""What an office can set: its environment (`config.settings`), its programmes and its schedule."""
