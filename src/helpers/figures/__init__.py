"""Every figure of the book, one function each: data in, a :class:`matplotlib.figure.Figure` out.

Maps lie on (latitude, longitude), ``boundary`` is the region's outline, both in degrees; fluxes are in g C m-2 yr-1
and totals in Tg C yr-1.

Each raises a :class:`ValueError` for a table without rows or without a column that it draws; a function's own text
names further reasons only. No function writes a file, and none changes the settings of the session. In a notebook the
figure is the value of a cell's last line; to keep it, ``figure.savefig(path)``.
"""
