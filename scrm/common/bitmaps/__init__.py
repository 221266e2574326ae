"""A derived cache of compressed sets of member ids: who has which tag, score, city, how much they spent.

Conditions over them are answered in milliseconds at ten million members. Rows stay the truth: every answer equals the
SQL compiler's, because triggers note whose rows changed and those members are asked in SQL until `folding` has taken
the change in. Nothing here is needed for a right answer; without it answers are slower.
"""
