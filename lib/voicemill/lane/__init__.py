"""The lane: the steps from recordings to a promoted, verified voice.

    plan           the steps in order, with their shares of PROGRESS
    runner         runs the steps: in one process, each in a child process, or dry
    steps          train (gates, preparation, training), evaluate, bundle, promote
    request        the voice to make
    gates          the checks before anything is prepared or trained
    training       both models (monitoring: progress, time left and pages while they are trained)
    placeholders   the results of a dry run
    reporter       PROGRESS, STATS and ARTIFACT lines, the lane's status file, the person's display
    entry          what the files below `scripts/voice/` start (colab_entry: all steps, ending in a report)

The steps pass files, not objects: the training status names the models and the dataset, the evaluation names the
vocoder, the production bundle holds what is promoted. `entry`, `colab_entry`, `runner` and `plan` need the standard
library only at import (docs/adr/0006).
"""
