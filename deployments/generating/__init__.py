"""Makes up a history of realistic shape: what benchmarks and demonstrations need, and no deployment ever told.

`moments` says when people work, `landings` what lands on main branches, `releases` which of it is deployed where and
when, `repairs` what of that failed. Up to there everything is arrays of numbers. `rows` writes them out as the rows
that the whole road would have left, a stretch of time after another, and `loading` brings those into the database.
"""
