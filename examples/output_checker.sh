#!/usr/bin/env bash
# An output checker has no model, only its answers: two CSV files that a researcher wrote, here as R does it.
#
#   p <- predict(model, newdata = records, type = "prob")          # a column for each class
#   write.csv(data.frame(label = records$income, p_low = p[, "low"], p_high = p[, "high"], records),
#             "members.csv", row.names = FALSE)
#
# Columns: label, p_<class> for each class; the record's own columns may follow, for the blind baseline and slices.
set -euo pipefail
out=${1:-$(mktemp -d)}
keepmum=${KEEPMUM:-keepmum}
here=$(cd "$(dirname "$0")" && pwd)

"$keepmum" audit --scores "$here/data/members.csv" "$here/data/nonmembers.csv" --slice sex --out "$out/audit"

# Release, revise or refuse? The preset for trusted research environments; 1 = fails, 3 = cannot be decided.
status=0
"$keepmum" gate "$out/audit" --policy tre || status=$?
echo "the gate ended with $status; the page is $out/audit/report.html"
