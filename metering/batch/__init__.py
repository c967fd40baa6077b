"""An upload as a whole: its readings as columns from the sealed texts to the rows of the database.

Only what is plainly right is taken this way; whatever is not goes record by record through `ocmf` and `chain`, which
are the definition and say what is wrong. The only place where NumPy and msgspec are used in metering.
"""
