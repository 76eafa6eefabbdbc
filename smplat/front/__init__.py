"""What stands between the network and Django: slow clients wait here, where they cost no thread.

`protocol` speaks ASGI, `bodies` reads requests, `limits` says what is too much, and `wsgi` runs Django in threads.
"""
