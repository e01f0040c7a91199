"""The figures and tables of the papers, and two beyond them, as data.

An item has a recipe (a study, or a computation without training), claims that are checked on the
result, and a figure.  `catalog` lists them, `run` makes one, `page` writes the index page.
"""
