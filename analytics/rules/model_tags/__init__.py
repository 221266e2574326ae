"""What is concluded about a member from what they do: six models, each a formula over counted facts.

Every formula says where it comes from, in which units it counts, how much evidence it needs below which the answer is
unknown, and how it leans towards the population while there is little. The SQL of analytics/queries/model_tags says
the same; both take their numbers from here.
"""
