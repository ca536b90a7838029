"""What leaves for the bank and what comes back: one port, and a simulated bank with books of its own."""
