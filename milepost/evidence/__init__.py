"""Evidence: what lets an outsider check, years later and without us, what happened and in what order."""
