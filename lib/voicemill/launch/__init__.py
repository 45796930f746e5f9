"""Starts a lane where it is to run: on this Python, in a container, as a managed job, or many as a batch.

Standard library only; an import-linter contract and a test hold it.

orchestrator   the gates (preflight), then the lane on the selected backend; the entry point inside the container
preflight      the gates before anything is built, installed or trained
local_docker   the lane in the production image on this machine (engine: the container engine)
managed_job    the lane as a SkyPilot managed job
relay          runs a child process: passes on its protocol lines and logs its output
paths          the paths that an invocation of an app reads and writes (paths.tsv)
lanes          the production lanes by name
batch          many jobs from one task file
"""
