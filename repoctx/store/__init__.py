"""Have we seen this before? SQL holds the truth, segments hold what is derived from it."""
