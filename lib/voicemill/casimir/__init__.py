"""The Casimir gate: a verdict over measured facts, issued as a certificate whose hash anyone can recompute.

gate        one question: a request document in, an answer and whether it is a PASS out
packs       constraints with metrics and limits
telemetry   reports -> metrics
judging     one constraint on one metric
evaluator   a pack and its metrics -> verdict and certificate
answer      the answer and the training trace
adapter     client of a remote evaluator
javascript  JSON as a JavaScript engine reads and prints it, for the hash of a certificate
"""
