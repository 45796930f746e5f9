"""Audio: recordings to checked, measured speech. Imports only `weights` of the other packages.

decode             any recording -> checked mono WAV or float32 samples
source_blocks      samples of a recording at its own rate, by libsndfile or ffmpeg
probing            what a recording declares about itself
file_headers       headers of WAV, FLAC and Ogg files
channels           which track and channel of a file is taken
ffmpeg             ffmpeg and ffprobe on untrusted files
download           a URL -> a file, by yt-dlp
web_tool           yt-dlp, set up at its first use
timestamps         `1:02:30.5` -> seconds
waveform           a recording that is read in parts
level_envelope     the short-time level of a recording
loudness           EBU R 128 loudness, and the constant gain to a target
vad                voice activity detection (Silero)
endpointing        exact start and end of each speech span
steady_sound       tones, hum and noise at the edges of speech
background_level   windows around speech, and the level of music or noise in them
separation         the voice without music and noise (Demucs, DeepFilterNet)
separation_model   the file of a separator
denoising          speech without the noise behind it (DeepFilterNet)
segmentation       speech -> utterances of 1 to 12 s, cut only in pauses
cuts               reasons for the start and end of an utterance
pitch              F0 of each frame by pYIN, identical with librosa and many times faster; `pitch_viterbi` is its search
device             the pitch search's difference function on a GPU
quality            peak, clipping, signal-to-noise ratio, bandwidth and silence at the edges of a clip
voice_traits       pitch and formants of a clip, to detect other speakers
embedding          speaker embeddings, if a model is on the weights allowlist
onnx               ONNX models on the CPU, for `vad` and `embedding`
fingerprints       similarity of two clips, to detect duplicates

Samples are float32 numpy arrays of shape (samples,), full scale 1.0. Times are seconds, rates and frequencies are Hz.
The functions keep no state, so each clip is a task of its own that any process can run.
"""
