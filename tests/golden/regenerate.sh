#!/bin/sh
# Make every golden file again. Needs R with the package randomForest (Debian: r-base-core, r-cran-randomforest) and
# the Python environment of the book. Takes about five minutes. Run it from anywhere, in that environment or naming it:
# PYTHON=.venv/bin/python sh tests/golden/regenerate.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}
"$python" "$here/make_tables.py" "$here"
Rscript "$here/golden.R" "$here"
PYTHONPATH="$here/../../src" "$python" "$here/make_settings.py" "$here"
