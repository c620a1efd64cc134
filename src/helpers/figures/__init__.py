"""Every figure of the book, one function each: data in, a :class:`matplotlib.figure.Figure` out.

Each raises a :class:`ValueError` for a table without rows or without a column that it draws; a function's own text
names further reasons only. No function writes a file, and none changes the settings of the session. In a notebook the
figure is the value of a cell's last line; to keep it, ``figure.savefig(path)``.
"""
