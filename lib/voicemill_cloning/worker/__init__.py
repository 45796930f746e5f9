"""Qwen3-TTS in a process of its own, because its package needs other versions of transformers and accelerate than ours.

    environment  the Python of locks/qwen, set up at its first use
    messages     what the two processes write to each other: JSON, one message a line
    process      this side: starts the process, sends requests, ends it
    program      the other side: the process itself
    model        the other side: a loaded model, prompts and speech

`program` and `model` run in the environment of locks/qwen, where only the standard library and that lock are installed;
they import nothing else of voicemill than `messages`.
"""
