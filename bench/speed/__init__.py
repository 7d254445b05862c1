"""Speed: one module a question, each with Tagloom and its peer in turn, beside what the machine can do.

python -m bench.speed.encoding            one question
make bench                                the short form of every question, in less than ten minutes
"""
