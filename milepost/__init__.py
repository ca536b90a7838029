"""Milepost: the workflow engine for grant review and milestone disbursement.

Importing this package imports nothing else: the command line stays quick, and the lowest modules
(`milepost.clock`, `milepost.embedded`) can be used without the web, the flows or the database.
"""

__version__ = "0.1.0"
