"""Review of a prepared dataset: look at it, listen to it, and correct it.

    pictures       waveform, spectrogram and pitch of each clip, cached by content
    dataset_view   the content of the pages, worked out in advance
    rejections     stretches that did not become clips: reasons, values, limits
    dataset_page   `report.html` in the dataset's folder: one file that loads nothing from elsewhere
    session        a person's decisions, saved as edits beside the manifest
    server         the same page on loopback, where clips can be dropped, restored and given another text

Pages are self-contained and carry a content security policy: a transcript is shown as text, never as markup.
"""
