"""The test kit: what holds Composer's compiler and blocks to their contracts, for blocks of your own too.

- `interpreter`: a second, slow, obviously right meaning of a graph, to compare programs with;
- `strategies`: hypothesis strategies for random graphs and their batches (needs `hypothesis`);
- `compare`: how far two sets of tensors are apart.
"""
