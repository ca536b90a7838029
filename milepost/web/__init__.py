"""The pages and the JSON API, both drawn from the tables of steps."""
