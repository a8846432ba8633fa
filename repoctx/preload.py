"""What does a worker need in memory before its first blob?

The fork server imports this module once; the workers forked from it share the loaded vocabulary.
"""

from repoctx import derive, tokens

tokens.count("")

__all__ = ["derive"]
