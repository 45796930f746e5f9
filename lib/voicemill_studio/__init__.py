"""The studio: pages in a browser for the whole day of a voice, on the server of `voicemill_serve`.

    application   the routes of every page, and the area of the server in which they lie
    frame         what pages share: templates, security headers, forms, errors, the place of the jobs
    static_files  stylesheet, scripts and pictures, with a digest in their address
    login         the form that opens a session
    voices        the table of all voices

A page is a module with `routes(studio)`, listed in `application.PAGES`, and a template that extends `layout.html.j2`.
docs/extending.md shows one. The stylesheet is that of the reports (`voicemill.evaluation`), with `static/studio.css`.
"""
