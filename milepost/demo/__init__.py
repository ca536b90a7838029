"""A synthetic city year: made-up projects live through the real steps, to look around in and to test with."""
