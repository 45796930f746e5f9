"""The studio: pages in a browser for the whole day of a voice, on the server of `voicemill_serve`.

    application   the routes of every page, and the area of the server in which they lie
    frame         what pages share: templates, security headers, forms, errors, the place of the jobs
    static_files  stylesheet, scripts and pictures, with a digest in their address
    login         the form that opens a session
    voices        the table of all voices, the page of one, and the question before something is deleted
    overview      what is known of every voice
    candidates    trained bundles that wait until a person has listened and promotes them
    versions      versions of a promoted voice: kept, spoken with, put back
    promotion     the checklist with what to do; certify, sign, promote, export
    train         start, follow, stop and resume trainings
    estimates     presets in plain words, and how long they take
    listen        speak a text with any voice or version
    sounds        speech for the pages, with the times of its words
    listening_tests  blind comparison, and scores from 1 to 5
    check         the detector of synthetic speech
    reports       reports of the toolbox in a frame without rights

New voices from files and from a microphone:

    new_voice           the pages to upload recordings and their text
    record              the pages to record sentences
    preparation         voice-prep as a job, and the page that follows it
    review              the page of `voicemill.review` for each prepared dataset, some clips at a time
    upload_store        files that are uploaded in parts
    upload_checks       what has arrived of a file: format, level, clipping, noise, speech
    draft_store         a new voice: its name, rights, choices and files
    session_store       recording sessions with their takes
    record_folders      folders that hold one draft or session each
    take_verdict        whether a take is good, and why not
    recognisers         which recogniser writes missing texts
    preparation_source  files or takes as a source folder and a command line of voice-prep
    file_names          names of clients as names on the disk

A page is a module with `routes(studio)`, listed in `application.PAGES`, and a template that extends `layout.html.j2`.
docs/extending.md shows one. The stylesheet is that of the reports (`voicemill.evaluation`), with `static/studio.css`.
"""
