"""What several tables say together, worked out for people who decide."""
