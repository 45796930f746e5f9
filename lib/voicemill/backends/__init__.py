"""Where a lane runs. `here` runs it in this process; every other backend starts the same command somewhere else.

request -> here.run_lane -> steps (prepare, train, evaluate, bundle, promote, verify) -> LaneResult
                              |
                          reporter: protocol lines on stdout, the lane's status file, live progress on stderr
"""
