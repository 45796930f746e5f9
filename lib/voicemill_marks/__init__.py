"""Marks of synthetic speech: a watermark in the samples and signed metadata in the file.

Needs numpy and voicemill's errors; `credentials` needs c2pa, `files` needs soundfile.
"""
