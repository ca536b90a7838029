"""What people read, always narrowed to the one who asks."""
