"""Check the source: fetch a public Git source, build its kustomizations, say what they deploy.

Everything here deals with content that strangers wrote. It runs in workers of its own queue
(`source-checks`), never in a web request, and holds no credential. From the outside in:

    addresses   which URLs may be asked at all, and to which address the name is pinned
    sandbox     one process: its own group, clean environment, caps on time, memory and files
    fetch       Git, shallow, without redirects, hooks, filters, submodules, symbolic links
    build       `kubectl kustomize` of one path, after remote bases and plugins were refused
    findings    what in the built objects depends on the configuration or the extension
    checking    all of these for one subject; returns a report, raises nothing
    services    the rows: asked, running, done, lost
    showing     what pages say of them
"""
