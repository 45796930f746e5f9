"""Where a lane runs, and the lane itself.

request -> here.run_lane -> steps (prepare, train, evaluate, bundle, promote, verify) -> LaneResult
                              |
                          reporter: protocol lines on stdout, the lane's status file, live progress on stderr

    entry          what the files below scripts/voice/ start: a whole lane, or one step of it (pipeline)
    orchestrator   gates (preflight), then the lane elsewhere: in a container (local_docker, engine), or on this Python
    container      inside the container: the lane and its report block
    once           bootstrap and the four steps as processes, with a report at the end
    relay          one child process: its protocol lines become ours, all it says goes into a log

`entry`, `orchestrator`, `container`, `once` and what they import need the standard library only (docs/adr/0006).
"""
