"""The models of analytics/rules/model_tags over the tables: what everybody does, and what follows about each member."""
