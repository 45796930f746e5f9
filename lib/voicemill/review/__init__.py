"""A prepared dataset to look at, to listen to and to mend.

    loading   a dataset and its edits, checked
    pictures  waveform, spectrogram and pitch of each clip, kept by content
    view      what the pages show, worked out beforehand
    left_out  what became no clip: reasons, figures, limits
    report    `report.html` in the dataset's folder: one file, nothing is loaded from elsewhere
    session   decisions of a person become edits beside the manifest
    live      page and session put together
    server    the same page on loopback, where clips can be dropped, restored and given another text

Pages are self-contained and carry a content security policy: what a transcript holds is text, never markup.
"""
