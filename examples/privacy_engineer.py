"""A privacy engineer lets CI decide: a policy, a build that fails, and files that CI can show."""

import sys
import tempfile
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import keepmum
from keepmum.policy import Policy

out = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)

# No finding may say "leak", and the upper end of no attack's AUC may pass 0.65.
policy = Policy(name="release", max={"auc": 0.65})

candidates = {
    "tree": DecisionTreeClassifier(random_state=0),
    "regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.01)),
}
for name, model in candidates.items():
    report = keepmum.audit(model.fit(X_train, y_train), (X_train, y_train), (X_test, y_test))
    report.save(out / name)
    decision = report.gate(policy)
    print(f"{name}: {decision.outcome}")
    for reason in decision.reasons:
        print(f"  {reason}")

# In CI end with the decision's exit code: sys.exit(decision.exit_code) is 0 passed, 1 failed, 3 inconclusive.
# The same from a shell:  keepmum gate FOLDER && keepmum report FOLDER -o report.sarif -o report.junit.xml
