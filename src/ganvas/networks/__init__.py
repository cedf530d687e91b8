"""Networks: plain modules that know nothing of training. Recipes compose them, and so can you."""
