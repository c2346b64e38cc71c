"""A trained translation as one file that needs neither Composer nor the graph: ONNX, or a program of torch.export.

Reading order: `sizes` (which sizes a graph takes, and padding as arithmetic on sizes), `settle` (networks without
modes, masks and bookkeeping), `wrapped` (the translation as one module), `contract` (what goes in and comes out),
`formats` (writing and running files), `check` (the file against the program), `command`.
"""
