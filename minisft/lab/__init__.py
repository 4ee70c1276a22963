"""Mistakes as switches around an unchanged library, what each of them costs, and what to look for before training."""
