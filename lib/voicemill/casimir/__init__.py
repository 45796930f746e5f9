"""The Casimir gate: a verdict over measured facts, issued as a certificate whose hash anyone can recompute.

`javascript` reads and prints JSON as a JavaScript engine does; `packs` holds the constraints; `telemetry` turns reports
into metrics; `evaluator` judges and issues the certificate; `answer` builds the answer; `adapter` asks a
remote evaluator.
"""
