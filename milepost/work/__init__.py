"""What the flows do, without Prefect: each function may be called twice, late or in two places at once."""
