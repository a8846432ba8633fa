"""How do the symbols relate? Pure: columns of occurrences in, columns of edges out.

`link.link` turns the definitions, references and imports of a snapshot into edges, each with the
rule that made it and a confidence. `rank` weighs files and symbols by those edges and writes the
repository map, `symbols` finds symbols by name, `export` writes the graph down for others.
"""
