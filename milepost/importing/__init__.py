"""Reads what others hand over as files; what cannot be taken is refused by file and row, the rest goes on."""
