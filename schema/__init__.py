"""The tables, one module per noun, and the inputs that each step asks for."""
