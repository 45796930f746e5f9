"""Voices from seconds of sound: cloned, built-in and designed voices, and every trained voice behind the same seam.

Engines and speech:

    engines      what speaks: trained voices, flite, espeak-ng, Qwen3-TTS
    worker       Qwen3-TTS in a process of its own
    prompts      clone prompts as safetensors
    prompt_pickles  prompts of the earlier toolbox, read without unpickling
    speaking     text -> takes, through any engine
    chunking     a long text in the pieces that an engine speaks one by one
    durations    how long a text takes to speak, by phones and syllables
    languages    the languages of Qwen3-TTS and their names
    text_language  which of them a text is in
    generation   profiles, a voice's defaults and options -> how a generation is steered
    styles       sentences that tell a model how to speak; texts that look like such sentences
    selection    takes scored and ranked
    judging      the words and the speaker of a take, by learned judges
    recogniser_files  the files of the recogniser for other languages than English

Voices:

    voice_file   `voice.json` of a voice that speaks without training, as one typed model
    registry     voices by name: created, changed, found, renamed, deleted
    archive      a voice as one zip: deterministic to write, strict to read
    listing      all voices, for `list-voices`
    choice       which voice speaks, from a name and options
    opening      the engine of a voice that was chosen

From a recording to a voice:

    source_recording  a file or web address, decoded, with its stretches of speech
    splitting         clean clips of a recording
    references        the reference of a voice: chosen among candidates, judged
    reference_candidates  the candidates: stretches of a recording, with their scores
    cloning           reference, prompt and registry in one
    designing         a voice from a description
    built_in          built-in speakers, and voices that are one of them
    conversion        pickled prompts become safetensors
    registration      a cloned voice enters the registry: source clip, reference, prompt

Commands:

    speak_run    one run of `speak`: text, voice and options -> judged takes
    results      the files of a run
    marked_files takes as files with the marks of synthetic speech
    clone_run    one run of `voice-clone synth`; clone_results its files, clone_options its options
    register_run one run of `voice-register`
    capabilities what can be used on this machine
    teaching     an engine reads sentences, and judges accept readings
    lesson       `teach` as a whole: readings, then the preparation of their dataset
    sentences    sentences for an engine to read
    app_context  settings of one command
    app_options  options that the apps share
    source_options  options of the apps that take a voice from a recording

Every command speaks through `speaking.speak`, so each works with each engine.
"""
