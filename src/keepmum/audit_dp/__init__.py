"""Is a claim of differential privacy true? Lower bounds from attacks, and tests of the mechanism itself."""

from keepmum.audit_dp._audit import DpAudit, audit_dp
from keepmum.audit_dp._mechanism import check_mechanism
from keepmum.audit_dp._runs import audit_dp_runs
from keepmum.audit_dp._white_box import watch_canaries

__all__ = ["DpAudit", "audit_dp", "audit_dp_runs", "check_mechanism", "watch_canaries"]
