"""How is one huge repository parsed and embedded by many machines?

`connection` reaches a Dask cluster and has work done there, `packets` is what travels, `workers` is what a
worker of the cluster does with it (`child` is the process that does the parsing there), `spread` is what an
index run calls. Nothing here imports Dask before there is work for a cluster.
"""
