"""Time and retries: one Prefect flow per file. A flow carries no rule; it calls `perform`."""
