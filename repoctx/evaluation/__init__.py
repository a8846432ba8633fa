"""How good are the answers about a repository, and can they be better there? Its own past commits tell.

A commit's message is the question, what it changed is the answer, and the repository before it is searched:
`cases` chooses the commits, `gold` says what should be found, `replay` moves an index of its own forward from one
to the next, `judge` counts, `page` draws. `candidates` and `fit` find weights that rank better, `tune` keeps them
if they also do on newer commits.
"""
