"""The lane: the steps from recordings to a promoted, verified voice.

    plan           the steps in order, with their shares of PROGRESS
    runner         runs the steps: in one process, each in a child process, or dry
    steps          train (gates, preparation, training), evaluate, bundle, promote
    run            one run of the steps in this process, and a training within it
    request        the voice to make

Checks before anything is prepared or trained:

    bare_gates     the gates that need the standard library only
    first_checks   recordings, text, folders and disk, before a heavy library is imported
    gates          licences, configuration and dataset in the contract's order; packages; checkpoints

Parts of the steps:

    training       trains both models; a finished run is found again by its content key
    monitoring     progress, time left and pages while they are trained
    trained_voice  the models that a training status names
    evaluation     evaluates a voice, or a finished bundle, and applies a preset's limits
    bundling       builds the production bundle and promotes it
    placeholders   the results of a dry run
    statuses       the training status and the evaluation as a lane writes them
    notation       how they write paths and times
    report         the HTML report of a trained voice
    marked_sounds  the marks of the synthetic sounds in its players
    consent        examines a recorded statement of consent
    reporter       PROGRESS, STATS and ARTIFACT lines, the lane's status file, the person's display

What starts it:

    entry          what the files below `scripts/voice/` start
    colab_entry    all steps, ending in a report
    load_voice     a promoted voice for `say`
    stability      the measurement of stability on a promoted voice, and its section of the report

The steps pass files, not objects: the training status names the models and the dataset, the evaluation names the
vocoder, the production bundle holds what is promoted. `entry`, `colab_entry`, `runner` and `plan` need the standard
library only at import (docs/adr/0006).
"""
