"""Experts: who they are, what they may not judge, who is drawn or matched, and what they found."""
