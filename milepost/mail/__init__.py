"""Mail: the outbox and how it is emptied, the words in both languages, a sink for where no server is."""
