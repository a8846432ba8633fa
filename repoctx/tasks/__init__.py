"""The read recipes: what is asked of a model, and what becomes of its answer."""
