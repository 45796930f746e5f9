"""Where a lane runs: the gates before it, and starting it in a container, as a managed job, or many of them as a batch.

orchestrator   the gates (preflight), then the lane on this Python, in a container or elsewhere
preflight      gates that refuse before anything is built, installed or trained
local_docker   the lane in the production image on this machine (engine: the container engine)
container      inside the container: the lane and its report block
managed_job    the lane as a SkyPilot managed job
relay          one child process: its protocol lines become ours, its whole output goes into a log
lanes          the production lanes by name
batch          many jobs from one task file
"""
