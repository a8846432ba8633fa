"""How does a chat client get a repository's context without knowing of it?

It points its base URL here. `openai` and `anthropic` are the routes of the two protocols, `asked` reads a request,
`context` finds what its conversation begins with, `counted` how long it is, `served` which models there are, `tiers`
which server holds it and `turns` when it may ask; `upstream` asks the back end and `relay` passes the answer on as it
comes; `translate` and `answers` speak for a back end that knows OpenAI's protocol alone, `spoken` says errors in
either.
"""
