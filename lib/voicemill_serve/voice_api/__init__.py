"""`/api/voice/*`: what the pages of a voice agent call.

requests     the request, validated field by field
environment  variables that decide, read at every request
policies     rules of the voice agent itself; off unless the operator switches them on
authority    which texts of the agent may be spoken: statements of its server about a text
loudness     WAV and MP3 brought to the loudness of phones
backend      this server's voices, or the backend that `TTS_BASE_URL` names, with retries and a circuit breaker
remote       the remote provider that a request may name
cache        spoken texts in memory, and what was asked last
answers      refusals, suppressions, and sounds with their headers
transcription  the answer that this server recognises no speech
routes       the routes, and the order of decisions
"""
