"""An engineer audits a scikit-learn pipeline, looks closer, makes it tighter, and audits again."""

# %% Real people: UCI Adult. Members and non-members come from one source, divided at random.
import sys
import tempfile
from pathlib import Path

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import keepmum
from keepmum.datasets import load_adult
from keepmum.report.compare import compare

out = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
X, y = load_adult(rows=6_000, seed=0)
members, nonmembers = (X[:3_000], y[:3_000]), (X[3_000:], y[3_000:])


def pipeline(**settings):
    """A forest on one-hot encoded text columns."""
    text = make_column_selector(dtype_exclude="number")
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), text), remainder="passthrough")
    return make_pipeline(columns, RandomForestClassifier(random_state=0, **settings))


# %% The model as it comes out of the box.
loose = keepmum.audit(pipeline().fit(*members), members, nonmembers, slices=["sex"], out=out / "loose")
print(loose.verdict)
print(loose.frame()[["id", "outcome", "auc", "auc_low", "auc_high"]].to_string(index=False))

# %% Who fares worst? Intervals hold for all groups of a column at once.
for group in loose["membership/loss"].slices:
    print(f"{group.column:8} {group.value:8} {group.members:6} {group.metrics.get('auc', '')}")

# %% Larger leaves: a leaf that many people share describes nobody.
tight = keepmum.audit(pipeline(min_samples_leaf=25).fit(*members), members, nonmembers, out=out / "tight")
print(tight.verdict)

# %% Is the change more than luck?
print(compare(loose, tight).statement)
print(f"page: {out / 'loose' / 'report.html'}")
