"""A server of finished voices over HTTP and Wyoming.

    settings         what a server is started with: folders, limits, tokens
    application      the Starlette application: shared services, routes, start and stop
    server           sockets, uvicorn, graceful stop

    voice_store      bundles as voices: found, verified, loaded on demand, dropped when idle, loaded again when replaced
    speech           texts spoken sentence by sentence by a pool of threads, with limits of queue, length and time
    encoders         speech as a stream of WAV, PCM, MP3, Opus, FLAC or AAC
    detector         examines sounds for the marks of synthetic speech
    areas            pages for people below a prefix: session cookies, error pages
    guard            Host, Origin, tokens, rate, body size; the access log
    metrics          counters and histograms as Prometheus text
    refusals         errors of the library as HTTP answers

    backend_routes   POST /speak and GET /health, as the proxy of a voice agent calls them
    openai_routes    POST /v1/audio/speech, GET /v1/models, GET /v1/audio/voices
    detector_routes  POST /v1/audio/marks: is a sound synthetic speech, and whose
    operation_routes GET /ready, GET /metrics
    voice_api        /api/voice/*: what the pages of a voice agent call
    train_routes     /api/train/*: training jobs, for the panel of a voice agent
    jobs             starts and follows jobs; `job_store` keeps them in sqlite, `supervisor` runs one script
    wyoming_server   the Wyoming protocol, for Home Assistant

Further pages are added as a `Router` given to `application.create_application`.
"""
