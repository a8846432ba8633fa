"""repoctx: index whole repositories, find what matters, pack it for a long-context code model."""

__version__ = "0.1.0"
