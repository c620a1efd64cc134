"""The helper package of the book: one module a job, imported by the numbered notebooks.

Import the module, not its names, so that a notebook's reader sees where a function comes from::

    from helpers import carbon, cube, figures, forest
"""

__version__ = "0.1.0"
