"""The documentation, and the programs that write parts of it. They run at the root of the repository.

python -m docs.make_models     docs/models.md: every model's parameters and multiply-adds
python -m docs.make_labs       docs/labs.md: what the labs found, from docs/labs/*.json
python -m docs.make_cluster    the tables of docs/cluster.md
python docs/build_api.py       the API reference, docs/api
"""
