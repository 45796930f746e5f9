"""Speakers on whom voices and vocoders are measured: they may be in no base's training."""

JUDGES = ("lj", "allison", "asterisk", "kathleen", "cathy", "slt", "demo", "dottie")
"""Words of their names in lower case."""
