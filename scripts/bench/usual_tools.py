"""The straightforward script that one writes with the usual tools, without voicemill: the yardstick of `bench.py
preparation`.

librosa.load, Silero's get_speech_timestamps with its default model, librosa.pyin with NeMo's arguments on each stretch of
speech, pyloudnorm over the whole. No text, no alignment, no quality control, one process.

    python scripts/bench/usual_tools.py RECORDING SECONDS    the first so many seconds; one JSON line
"""

from __future__ import annotations

import json
import sys
import time


def main(recording: str, seconds: float) -> None:
    """Prepare and print where the time went."""
    import librosa
    import pyloudnorm  # type: ignore[import-untyped]
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    torch.set_num_threads(1)
    low, high = float(librosa.note_to_hz("C2")), float(librosa.note_to_hz("C7"))
    model = load_silero_vad()
    noise = librosa.util.normalize(librosa.tone(220.0, sr=22050, duration=0.5))
    librosa.pyin(noise, fmin=low, fmax=high, frame_length=1024, sr=22050)  # numba compiles
    marks, usage = [time.perf_counter()], [time.process_time()]

    def mark() -> None:
        marks.append(time.perf_counter())
        usage.append(time.process_time())

    samples, rate = librosa.load(recording, sr=22050, duration=seconds)
    mark()
    coarse = librosa.resample(samples, orig_sr=rate, target_sr=16000)
    found = get_speech_timestamps(torch.from_numpy(coarse), model, return_seconds=True)
    mark()
    speech = 0.0
    for span in found:
        part = samples[round(span["start"] * rate) : round(span["end"] * rate)]
        librosa.pyin(part, fmin=low, fmax=high, frame_length=1024, sr=rate, fill_na=0.0)
        speech += len(part) / rate
    mark()
    pyloudnorm.Meter(rate).integrated_loudness(samples)
    mark()
    names = ("load", "voice-activity", "pitch", "loudness")
    print(
        json.dumps(
            {
                "seconds": len(samples) / rate,
                "speech": speech,
                "wall": {name: two - one for name, one, two in zip(names, marks, marks[1:], strict=False)},
                "cpu": {name: two - one for name, one, two in zip(names, usage, usage[1:], strict=False)},
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
