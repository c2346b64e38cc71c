"""Training loops written by hand in plain torch, which record traces in the form of `tools/parity.py`.

They share nothing with the blocks and the compiler: written from the papers and from descriptions of the released
code, with the state_dict names of that code. So they check options that no recorded trace exercises.
"""
