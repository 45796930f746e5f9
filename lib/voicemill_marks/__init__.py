"""Marks of synthetic speech: a watermark in the samples and signed metadata in the file (docs/marking.md).

    code         which cells of time and frequency carry which symbol
    watermark    the embedder, for streams
    features     what the detector compares with the code
    matching     the best fit of a code to the features
    detector     the detector, for samples and for files of any length
    origin       the voice that spoke a sound, as its marks state it
    evidence     whether the marks of a sound name a voice, and how strongly
    credentials  C2PA manifests in WAV, FLAC and MP3 files, written and read
    signer       the key and certificates that sign them
    anchors      the certificates under which a signer is trusted

Watermark and detector need numpy alone; `credentials` needs c2pa and `signer` cryptography.
"""
